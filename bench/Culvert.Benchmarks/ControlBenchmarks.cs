using BenchmarkDotNet.Attributes;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.L2tp.Wire;

namespace Culvert.Benchmarks;

/// <summary>The control connection: reading a message, and carrying one to a peer and its acknowledgement back.</summary>
public class ControlBenchmarks
{
    private readonly byte[] _message = new byte[512];
    private readonly byte[] _datagram = new byte[2048];
    private readonly byte[] _acknowledgement = new byte[64];
    private int _length;
    private ControlChannel _local = null!;
    private ControlChannel _peer = null!;
    private Timestamp _now;
    private byte[] _hello = null!;

    [GlobalSetup]
    public void SetUp()
    {
        var writer = new ControlMessageWriter(_message, MessageType.Icrq);
        writer.WriteUInt16(AvpType.AssignedSessionId, 7);
        writer.WriteUInt32(AvpType.CallSerialNumber, 42);
        writer.WriteUInt32(AvpType.BearerType, 2);
        writer.WriteText(AvpType.CalledNumber, "5550100");
        writer.WriteText(AvpType.CallingNumber, "5550199");
        writer.WriteText(AvpType.SubAddress, "12");
        _ = writer.TryFinish(out _length);

        var hello = new ControlMessageWriter(_datagram, MessageType.Hello);
        _ = hello.TryFinish(out int octets);
        _hello = _datagram[..octets];
        _local = new ControlChannel(ControlChannelSettings.Default, _now) { PeerTunnelId = 2 };
        _peer = new ControlChannel(ControlChannelSettings.Default, _now) { PeerTunnelId = 1 };
        if (AvpParse() != 7 || RoundTrip() != 0)
        {
            throw new InvalidOperationException("the messages are not what they should be");
        }
    }

    /// <summary>An ICRQ with seven AVPs.</summary>
    [Benchmark]
    public int AvpParse() =>
        ControlMessage.TryRead(_message.AsSpan(L2tpHeader.ControlSize, _length - L2tpHeader.ControlSize), out ControlMessage message)
            ? message.AvpCount : 0;

    /// <summary>A HELLO, its way to the peer, and the ZLB back: both channels' work. Octets that stay unacknowledged are the result.</summary>
    [Benchmark]
    public int RoundTrip()
    {
        _now += TimeSpan.FromMilliseconds(1);
        _ = _local.TrySend(_hello);
        Carry(_local, _peer, _datagram);
        Carry(_peer, _local, _acknowledgement);
        return _local.Unacknowledged;
    }

    private void Carry(ControlChannel from, ControlChannel to, byte[] buffer)
    {
        while (from.TryTransmit(buffer, _now, out int length))
        {
            ReadOnlySpan<byte> datagram = buffer.AsSpan(0, length);
            _ = L2tpHeader.TryRead(datagram, out L2tpHeader header);
            _ = to.Receive(header, datagram, _now);
        }
    }
}
