using System.Text;
using Culvert.Core;
using Culvert.L2tp.Wire;
using Culvert.Ppp.Wire;
using Culvert.Testing;

namespace Culvert.Simulation;

/// <summary>What the last packets and events of a run were, in words, and a hash over all of them: two runs of one seed must agree in it.</summary>
public sealed class PacketTrace
{
    /// <summary>Entries kept for a report. A failure shows within a few messages of its cause, or the seed is run again with more.</summary>
    public const int DefaultKept = 60;

    private readonly Queue<Entry> _last = new();

    /// <summary>FNV-1a, 64 bits.</summary>
    public ulong Hash { get; private set; } = 14695981039346656037;

    public long Packets { get; private set; }

    public int Kept { get; set; } = DefaultKept;

    public void NotePacket(string what, in Delivery packet, Timestamp now)
    {
        Packets++;
        Mix(now.Nanoseconds);
        Mix(packet.Source.Address.ToUInt32());
        Mix(packet.Destination.Address.ToUInt32());
        foreach (byte octet in packet.Payload.Span)
        {
            Mix(octet);
        }

        Keep(new Entry(now, what, packet, ""));
    }

    public void NoteEvent(string who, string text, Timestamp now)
    {
        Mix(now.Nanoseconds);
        foreach (char c in text)
        {
            Mix((byte)c);
        }

        Keep(new Entry(now, who, default, text));
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (Entry entry in _last)
        {
            Describe(text, entry);
        }

        return text.ToString();
    }

    private static void Describe(StringBuilder text, Entry entry)
    {
        text.Append(entry.At).Append(' ');
        if (entry.Packet.Payload.IsEmpty)
        {
            text.Append(entry.What).Append(" * ").AppendLine(entry.Text);
            return;
        }

        ReadOnlySpan<byte> datagram = entry.Packet.Payload.Span;
        text.Append(entry.Packet.Source.Address).Append(" > ").Append(entry.Packet.Destination.Address);
        text.Append(entry.What.Length == 0 ? "" : $" ({entry.What})").Append(' ');
        if (L2tpHeader.TryRead(datagram, out L2tpHeader header) && !header.IsControl)
        {
            text.Append($"data ({header.TunnelId}/{header.SessionId}) ");
            PppPrinter.Print(text, datagram[header.PayloadStart..header.PayloadEnd]);
        }
        else
        {
            L2tpPrinter.AppendLine(text, datagram);
        }

        text.AppendLine();
    }

    private void Keep(Entry entry)
    {
        _last.Enqueue(entry);
        while (_last.Count > Kept)
        {
            _last.Dequeue();
        }
    }

    private void Mix(long number)
    {
        for (int shift = 0; shift < 64; shift += 8)
        {
            Mix((byte)(number >> shift));
        }
    }

    private void Mix(byte octet) => Hash = unchecked((Hash ^ octet) * 1099511628211);

    private readonly record struct Entry(Timestamp At, string What, Delivery Packet, string Text);
}
