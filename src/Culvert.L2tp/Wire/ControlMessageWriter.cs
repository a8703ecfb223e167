using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;
using Culvert.Core;

namespace Culvert.L2tp.Wire;

/// <summary>Which AVPs a <see cref="ControlMessageWriter"/> hides once it has a secret.</summary>
public enum AvpHidingScope : byte
{
    /// <summary>Those written with <c>hide: true</c>.</summary>
    Requested = 0,

    /// <summary>Every AVP that the RFC allows to be hidden.</summary>
    Everything,
}

/// <summary>
/// Writes one control message: header with Length but zero Tunnel ID, Ns and Nr (see <see cref="L2tpHeader.Patch"/>), Message Type
/// AVP, then what the caller adds. The M bit comes from <see cref="AvpDefinitions"/>. Whatever does not fit makes
/// <see cref="TryFinish"/> return false, so the caller checks once.
/// </summary>
public ref struct ControlMessageWriter
{
    /// <summary>Octets of a Random Vector written here: what section 4.4.1 recommends.</summary>
    public const int RandomVectorSize = 16;

    // Hiding pads a value to a multiple of this and adds up to as much again, so that its length tells little.
    private const int PaddingUnit = 16;

    private readonly Span<byte> _destination;
    private WireWriter _writer;
    private ReadOnlySpan<byte> _secret;
    private ReadOnlySpan<byte> _randomVector;
    private IRandomSource? _random;
    private AvpHidingScope _scope;
    private bool _failed;

    /// <param name="destination">Where the message goes; as long as the largest message that may be sent.</param>
    /// <param name="sessionId">The peer's Session ID, 0 when unknown or for messages about the tunnel.</param>
    /// <param name="isMandatory">The M bit of the Message Type AVP: set for all messages of RFC 2661 (section 4.4.1).</param>
    public ControlMessageWriter(Span<byte> destination, MessageType type, ushort sessionId = 0, bool isMandatory = true)
    {
        _destination = destination;
        _writer = new(destination);
        if (_writer.TryTake(L2tpHeader.ControlSize, out Span<byte> header))
        {
            _ = L2tpHeader.ForControl(0, sessionId, 0, 0, 0).TryWrite(header, out _);
        }

        WriteHeader(AvpType.MessageType, sizeof(ushort), isMandatory, isHidden: false);
        _writer.WriteUInt16((ushort)type);
    }

    /// <summary>True once something did not fit or could not be hidden; the message is then not to be sent.</summary>
    public readonly bool Failed => _failed || _writer.Overflowed;

    /// <summary>Lets AVPs be hidden (section 4.3). A Random Vector AVP is written before the first hidden one.</summary>
    /// <param name="secret">The tunnel's shared secret; not empty.</param>
    public void EnableHiding(ReadOnlySpan<byte> secret, IRandomSource random, AvpHidingScope scope = AvpHidingScope.Requested)
    {
        _failed |= secret.IsEmpty;
        _secret = secret;
        _random = random;
        _scope = scope;
    }

    /// <summary>Writes another Random Vector AVP, which hides the AVPs after it.</summary>
    public void WriteRandomVector()
    {
        if (_random is null)
        {
            _failed = true;
            return;
        }

        WriteHeader(AvpType.RandomVector, RandomVectorSize, isMandatory: true, isHidden: false);
        if (_writer.TryTake(RandomVectorSize, out Span<byte> vector))
        {
            _random.Fill(vector);
            _randomVector = vector;
        }
    }

    public void WriteUInt16(AvpId id, ushort value, bool hide = false)
    {
        Span<byte> octets = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(octets, value);
        WriteBytes(id, octets, hide);
    }

    public void WriteUInt32(AvpId id, uint value, bool hide = false)
    {
        Span<byte> octets = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(octets, value);
        WriteBytes(id, octets, hide);
    }

    public void WriteUInt64(AvpId id, ulong value, bool hide = false)
    {
        Span<byte> octets = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(octets, value);
        WriteBytes(id, octets, hide);
    }

    /// <summary>Writes UTF-8 text.</summary>
    public void WriteText(AvpId id, string value, bool hide = false)
    {
        if (Encoding.UTF8.GetByteCount(value) > Avp.MaximumValueSize)
        {
            _failed = true;
            return;
        }

        Span<byte> octets = stackalloc byte[Avp.MaximumValueSize];
        int length = Encoding.UTF8.GetBytes(value, octets);
        WriteBytes(id, octets[..length], hide);
    }

    /// <summary>Writes an AVP without value.</summary>
    public void WriteEmpty(AvpId id) => WriteBytes(id, default);

    /// <summary>Writes a Result Code AVP, with Error Code, and Error Message if not empty (cut to fit).</summary>
    public void WriteResultCode(ushort result, ErrorCode error, string message = "")
    {
        Span<byte> octets = stackalloc byte[Avp.MaximumValueSize];
        BinaryPrimitives.WriteUInt16BigEndian(octets, result);
        BinaryPrimitives.WriteUInt16BigEndian(octets[2..], (ushort)error);
        _ = Utf8.FromUtf16(message, octets[4..], out _, out int length);
        WriteBytes(AvpType.ResultCode, octets[..(4 + length)]);
    }

    public void WriteResultCode(StopCcnResult result, ErrorCode error = ErrorCode.None, string message = "") =>
        WriteResultCode((ushort)result, error, message);

    public void WriteResultCode(CdnResult result, ErrorCode error = ErrorCode.None, string message = "") =>
        WriteResultCode((ushort)result, error, message);

    /// <summary>Writes an AVP of any format, with the M bit of the table (clear for attributes that it does not know).</summary>
    public void WriteBytes(AvpId id, scoped ReadOnlySpan<byte> value, bool hide = false) =>
        WriteAvp(id, value, AvpDefinitions.Find(id)?.IsMandatory ?? false, hide);

    /// <summary>Writes an AVP with an M bit of the caller's choice.</summary>
    public void WriteAvp(AvpId id, scoped ReadOnlySpan<byte> value, bool isMandatory, bool hide = false)
    {
        bool mayHide = AvpDefinitions.Find(id)?.MayBeHidden ?? true;
        bool wantsHiding = hide || (_scope == AvpHidingScope.Everything && !_secret.IsEmpty);
        if (mayHide && wantsHiding)
        {
            WriteHidden(id, value, isMandatory);
        }
        else
        {
            WriteHeader(id, value.Length, isMandatory, isHidden: false);
            Copy(value);
        }
    }

    /// <summary>Sets the Length field. False when the message did not fit: then it must not be sent.</summary>
    public bool TryFinish(out int length)
    {
        _failed |= _writer.Overflowed || _writer.Length > ushort.MaxValue;
        length = Failed ? 0 : _writer.Length;
        if (!Failed)
        {
            L2tpHeader.PatchLength(_destination, (ushort)length);
        }

        return !Failed;
    }

    private void WriteHeader(AvpId id, int valueLength, bool isMandatory, bool isHidden)
    {
        if (Failed || valueLength > Avp.MaximumValueSize)
        {
            _failed = true;
            return;
        }

        int first = (Avp.HeaderSize + valueLength) | (isMandatory ? Avp.MandatoryBit : 0) | (isHidden ? Avp.HiddenBit : 0);
        _writer.WriteUInt16((ushort)first);
        _writer.WriteUInt16((ushort)id.Vendor);
        _writer.WriteUInt16(id.Type);
    }

    // To send in clear what was to be hidden would give a secret away, so a missing secret fails the message.
    private void WriteHidden(AvpId id, scoped ReadOnlySpan<byte> value, bool isMandatory)
    {
        if (_secret.IsEmpty || _random is null || value.Length > Avp.MaximumValueSize - AvpHiding.LengthSize)
        {
            _failed = true;
            return;
        }

        if (_randomVector.IsEmpty)
        {
            WriteRandomVector();
        }

        int plain = AvpHiding.LengthSize + value.Length;
        int room = Math.Min(Avp.MaximumValueSize, RoomLeft());
        int padded = Math.Max(plain, Math.Min(room, RoundUp(plain) + (PaddingUnit * _random.NextBelow(2))));
        WriteHeader(id, padded, isMandatory, isHidden: true);
        if (!_writer.TryTake(padded, out Span<byte> subformat))
        {
            return;
        }

        BinaryPrimitives.WriteUInt16BigEndian(subformat, (ushort)value.Length);
        value.CopyTo(subformat[AvpHiding.LengthSize..]);
        _random.Fill(subformat[plain..]);
        AvpHiding.Hide(subformat, id.Type, _secret, _randomVector);
    }

    private void Copy(scoped ReadOnlySpan<byte> value)
    {
        if (_writer.TryTake(value.Length, out Span<byte> target))
        {
            value.CopyTo(target);
        }
    }

    private readonly int RoomLeft() => _destination.Length - _writer.Length - Avp.HeaderSize;

    private static int RoundUp(int length) => (length + PaddingUnit - 1) / PaddingUnit * PaddingUnit;
}
