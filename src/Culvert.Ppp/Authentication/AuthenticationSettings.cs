using System.Text;

namespace Culvert.Ppp.Authentication;

/// <summary>What every authentication of a node or profile has in common. One instance serves all links.</summary>
public sealed class AuthenticationSettings
{
    /// <summary>Longest name in any packet, in octets: what PAP's one-octet length can say (RFC 1334 section 2.2.1).</summary>
    public const int MaxNameSize = 255;

    private byte[] _localName = Encoding.UTF8.GetBytes("culvert");

    public static AuthenticationSettings Default { get; } = new();

    /// <summary>Name in the challenges of an authenticator. At most 255 octets of UTF-8.</summary>
    /// <exception cref="ArgumentException">Longer.</exception>
    public string LocalName
    {
        get => Encoding.UTF8.GetString(_localName);
        init
        {
            byte[] octets = Encoding.UTF8.GetBytes(value);
            _localName = octets.Length <= MaxNameSize
                ? octets
                : throw new ArgumentException("A name has at most 255 octets.", nameof(value));
        }
    }

    /// <summary>Between two transmissions of a Challenge or an Authenticate-Request.</summary>
    public TimeSpan RetransmitInterval
    {
        get;
        init => field = value > TimeSpan.Zero ? value : throw new ArgumentOutOfRangeException(nameof(value));
    } = TimeSpan.FromSeconds(3);

    /// <summary>How often a Challenge or Authenticate-Request is sent, the first included; 1 to 255.</summary>
    public int MaxTransmissions
    {
        get;
        init => field = value is >= 1 and <= 255 ? value : throw new ArgumentOutOfRangeException(nameof(value));
    } = 10;

    /// <summary>How long a CHAP peer waits for the authenticator's first verdict. Longer than the authenticator's own patience.</summary>
    public TimeSpan PeerTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Time from a Success to the next Challenge of a CHAP authenticator; zero: never (RFC 1994 section 4.1).</summary>
    public TimeSpan RechallengeInterval { get; init; } = TimeSpan.Zero;

    internal ReadOnlySpan<byte> LocalNameOctets => _localName;

    /// <summary>A PAP authenticator sends nothing first, so it can only wait as long as a CHAP authenticator would try.</summary>
    internal TimeSpan RequestTimeout => RetransmitInterval * MaxTransmissions;
}
