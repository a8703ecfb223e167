using System.Text;
using Culvert.Core;

namespace Culvert.Capture;

/// <summary>Prints a capture, packet by packet, in memory that does not depend on its length.</summary>
public sealed class CaptureDecoder(PacketStyle style, PacketFilter filter, IReadOnlyList<Secret> secrets)
{
    private readonly PacketDissector _dissector = new(secrets);
    private readonly PacketPrinter _printer = new(style);

    /// <summary>Packets printed.</summary>
    public long PrintedCount { get; private set; }

    /// <summary>Prints everything that the reader has; its <see cref="CaptureReader.Problem"/> then says whether that was all.</summary>
    /// <exception cref="IOException">The capture cannot be read, or nobody takes the output.</exception>
    public void Run(CaptureReader reader, TextWriter output)
    {
        var text = new StringBuilder();
        while (reader.TryRead(out CapturedFrame frame))
        {
            if (_dissector.TryDissect(frame, out DissectedPacket packet) && filter.Matches(packet))
            {
                _printer.Append(text.Clear(), packet);
                output.Write(text);
                PrintedCount++;
            }
        }
    }

    /// <summary>"12 of 15 frames shown, 2 fragments skipped, ...".</summary>
    public string Summary(CaptureReader reader)
    {
        var text = new StringBuilder($"{PrintedCount} of {reader.FrameCount} frames shown");
        text.Append(_dissector.FragmentCount > 0 ? $", {_dissector.FragmentCount} IP fragments skipped" : string.Empty);
        text.Append(_dissector.OtherCount > 0 ? $", {_dissector.OtherCount} without L2TP or PPP" : string.Empty);
        text.Append(_dissector.UnknownLinkCount > 0
            ? $", {_dissector.UnknownLinkCount} of a link type not known here ({(int)_dissector.UnknownLink})"
            : string.Empty);
        text.Append(reader.LostCount > 0 ? $", {reader.LostCount} lost while capturing" : string.Empty);
        return text.ToString();
    }
}
