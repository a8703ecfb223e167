using System.Security.Cryptography;
using System.Text;

namespace Culvert.Ppp.Authentication;

/// <summary>
/// Name and password with which this end answers. Kept as long as the link, because the authenticator may challenge again at any
/// time; <see cref="Clear"/> when the link is gone for good. Never prints its password.
/// </summary>
public sealed class AuthenticationCredentials
{
    /// <summary>Longest password, in octets of UTF-8: what PAP's one-octet length can say (RFC 1334 section 2.2.1).</summary>
    public const int MaxPasswordSize = 255;

    private readonly byte[] _name;
    private readonly byte[] _password;

    /// <param name="name">User name, perhaps with a domain before a backslash; at most 255 octets of UTF-8.</param>
    /// <param name="password">At most 255 octets of UTF-8.</param>
    /// <exception cref="ArgumentException">Too long.</exception>
    public AuthenticationCredentials(string name, string password)
        : this(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(password))
    {
    }

    /// <inheritdoc cref="AuthenticationCredentials(string, string)"/>
    public AuthenticationCredentials(ReadOnlySpan<byte> name, ReadOnlySpan<byte> password)
        : this(name.ToArray(), password.ToArray())
    {
    }

    private AuthenticationCredentials(byte[] name, byte[] password)
    {
        _name = name.Length <= AuthenticationSettings.MaxNameSize
            ? name
            : throw new ArgumentException("A name has at most 255 octets.", nameof(name));
        _password = password.Length <= MaxPasswordSize
            ? password
            : throw new ArgumentException("A password has at most 255 octets.", nameof(password));
    }

    public string Name => AuthenticationText.Printable(_name);

    internal ReadOnlySpan<byte> NameOctets => _name;

    internal ReadOnlySpan<byte> PasswordOctets => _password;

    /// <summary>Overwrites the password with zeros. Later answers are wrong.</summary>
    public void Clear() => CryptographicOperations.ZeroMemory(_password);

    public override string ToString() => $"{Name}:***";
}
