using Culvert.Core;

namespace Culvert.Dataplane;

/// <summary>
/// Where L2TP frames go: a batch of datagrams to be sent together. Implemented by structs and reached through a generic
/// constraint, so that the calls are compiled into the packet path. A frame is either left where its packet was read, or written
/// into memory that the sink lends.
/// </summary>
public interface IFrameSink
{
    /// <summary>
    /// Takes a frame that lies in the buffer given to <see cref="Forwarder.Encapsulate{TSink}"/>. The sink either refers to that
    /// buffer until it has sent (the caller then leaves the buffer alone) or copies.
    /// </summary>
    /// <param name="offset">Start of the frame within that buffer.</param>
    /// <param name="length">Octets of the frame.</param>
    /// <param name="path">Where to send it.</param>
    /// <param name="trafficClass">
    /// DSCP and ECN of the outer packet as they stand in it: IPv4's TOS octet, IPv6's traffic class (RFC 2474, RFC 3168). 0 is the
    /// socket's default.
    /// </param>
    /// <param name="session">Whose it is: the frames of one session must be sent in the order in which they are given.</param>
    /// <returns>False when the sink is full; nothing was taken.</returns>
    bool TryAddInPlace(int offset, int length, in UdpPath path, byte trafficClass, SessionKey session);

    /// <summary>Lends at least <paramref name="length"/> octets for frames towards <paramref name="path"/>; false when the sink is full.</summary>
    bool TryTake(int length, in UdpPath path, out Span<byte> room);

    /// <summary>
    /// Sends what was written at the start of the room lent last: frames of <paramref name="frameLength"/> octets one after
    /// another, the last of which may be shorter (what UDP segmentation offload sends in one call). A single frame is a run whose
    /// two lengths are equal. All frames of a run share one traffic class, which the kernel is told once for all of them.
    /// </summary>
    void Commit(int length, int frameLength, in UdpPath path, byte trafficClass, SessionKey session);
}
