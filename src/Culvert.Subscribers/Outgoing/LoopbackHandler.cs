using System.Text;
using Culvert.Core;
using Culvert.L2tp;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;

namespace Culvert.Subscribers.Outgoing;

/// <summary>
/// A test line: every number is answered after a while, by a PPP user inside this node. It logs in when the LNS asks it to, takes the
/// address that it is given, answers echoes, and hangs up when the link ends. IP that is sent to it is dropped and counted by the data
/// plane (not forwarding): there is no host behind it. So an LNS's outgoing calls can be tested without a telephone network.
/// </summary>
public sealed class LoopbackHandler(IRandomSource random) : IOutgoingCallHandler
{
    /// <summary>Bits per second that the OCCN tells, unless the LNS asked for less.</summary>
    public const uint Speed = 64_000;

    private const int LargestFrame = 1508;

    private readonly List<Line?> _lines = [];
    private readonly Stack<int> _freeIndices = new();
    private readonly DeadlineHeap _deadlines = new();
    private readonly byte[] _frame = new byte[LargestFrame];

    public string Name => Policy.OutgoingCallPolicy.Loopback;

    public Timestamp NextDeadline => _deadlines.Next;

    public void OnRequested(OutgoingLine line, Timestamp now)
    {
        if (!_freeIndices.TryPop(out int index))
        {
            index = _lines.Count;
            _lines.Add(null);
        }

        var mine = new Line(index, line);
        _lines[index] = mine;
        line.State = mine;
        line.Accept((uint)index, now);
        _deadlines.Set(index, now + line.Policy.AnswerAfter);
    }

    public void OnConnected(OutgoingLine line, Timestamp now)
    {
        var mine = (Line)line.State!;
        mine.Link = new PppLink(new PppLinkSettings { Credentials = CredentialsFor(line) }, random);
        mine.Link.Open(now);
        Settle(mine, now);
    }

    public void OnFrame(OutgoingLine line, ReadOnlySpan<byte> frame, Timestamp now)
    {
        if (line.State is Line { Link: { } link } mine)
        {
            link.Receive(frame, now);
            Settle(mine, now);
        }
    }

    /// <summary>There is no asynchronous line here whose characters could be mapped.</summary>
    public void OnLinkInfo(OutgoingLine line, Accm accm, Timestamp now)
    {
    }

    public void OnClosed(OutgoingLine line, string reason, Timestamp now)
    {
        if (line.State is Line mine)
        {
            _deadlines.Remove(mine.Index);
            _lines[mine.Index] = null;
            _freeIndices.Push(mine.Index);
            line.State = null;
        }
    }

    public void Advance(Timestamp now)
    {
        while (_deadlines.TryTakeDue(now, out int index))
        {
            if (_lines[index] is not { } mine)
            {
                continue;
            }

            if (mine.Link is { } link)
            {
                link.Advance(now);
                Settle(mine, now);
            }
            else
            {
                uint speed = Math.Clamp(Speed, mine.Of.Request.MinimumBps, Math.Max(mine.Of.Request.MinimumBps, mine.Of.Request.MaximumBps));
                mine.Of.Connect(new BearerConnection(speed), now);
            }
        }
    }

    // Each octet of a number that cannot be printed became four characters, so one of 128 octets may be too long for a name.
    private static AuthenticationCredentials CredentialsFor(OutgoingLine line)
    {
        ReadOnlySpan<byte> user = Encoding.UTF8.GetBytes(line.Policy.User ?? line.Request.CalledNumber);
        return new(user[..Math.Min(user.Length, AuthenticationSettings.MaxNameSize)], Encoding.UTF8.GetBytes(line.Policy.Password));
    }

    private void Settle(Line mine, Timestamp now)
    {
        PppLink link = mine.Link!;
        string? ended = null;
        while (link.TryNextEvent(out PppLinkEvent e))
        {
            switch (e.Kind)
            {
                case PppLinkEventKind.NetworkRequested:
                    link.StartNetwork(IpcpSettings.ForClient, now);
                    break;
                case PppLinkEventKind.Closed:
                    ended = e.Text;
                    break;
            }
        }

        while (link.TryTransmit(_frame, out int length))
        {
            _ = mine.Of.TrySend(_frame.AsSpan(0, length));
        }

        _deadlines.Set(mine.Index, link.NextDeadline);
        if (ended is not null)
        {
            mine.Of.HangUp(ended);
        }
    }

    private sealed class Line(int index, OutgoingLine of)
    {
        public int Index { get; } = index;

        public OutgoingLine Of { get; } = of;

        public PppLink? Link { get; set; }
    }
}
