using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Culvert.L2tp.Wire;

namespace Culvert.L2tp;

/// <summary>Proxy Authen Type (RFC 2661 section 4.4.5).</summary>
public enum ProxyAuthenType : ushort
{
    Reserved = 0,

    /// <summary>User name and password typed by a person, outside PPP.</summary>
    Textual = 1,
    Chap = 2,
    Pap = 3,

    /// <summary>The LAC asked for none.</summary>
    NoAuthentication = 4,
    MsChapV1 = 5,
}

/// <summary>
/// The LCP negotiation that a LAC held with the user (RFC 2661 section 4.4.5): bodies of Configure-Requests, from the first option on.
/// </summary>
/// <param name="InitialReceived">The user's first one.</param>
/// <param name="LastSent">The LAC's last one, which the user acknowledged.</param>
/// <param name="LastReceived">The user's last one, which the LAC acknowledged.</param>
public sealed record ProxyLcp(
    ReadOnlyMemory<byte>? InitialReceived, ReadOnlyMemory<byte>? LastSent, ReadOnlyMemory<byte>? LastReceived)
{
    /// <summary>Octets of a Configure-Request that are kept; real ones have under 60. A longer one is as good as none.</summary>
    public const int OptionsLimit = 256;

    /// <summary>True when LCP can be taken over from it: both final requests are there.</summary>
    public bool IsComplete => LastSent is not null && LastReceived is not null;
}

/// <summary>The authentication that a LAC held with the user (RFC 2661 section 4.4.5). Never printed: it holds passwords.</summary>
public sealed class ProxyAuthentication
{
    /// <summary>Octets of a name, challenge or response that are kept.</summary>
    public const int TextLimit = 256;

    public required ProxyAuthenType Type { get; init; }

    /// <summary>The name in the user's answer; empty when absent.</summary>
    public ReadOnlyMemory<byte> Name { get; init; }

    /// <summary>The challenge that the LAC sent; empty when absent.</summary>
    public ReadOnlyMemory<byte> Challenge { get; init; }

    /// <summary>
    /// Identifier of the challenge, or of the PAP request; null when absent. A CHAP answer is bound to it, so whoever goes on with the
    /// user keeps it.
    /// </summary>
    public byte? Id { get; init; }

    /// <summary>The CHAP answer, or the password in clear; empty when absent.</summary>
    public ReadOnlyMemory<byte> Response { get; init; }

    /// <summary>True when every AVP is there that section 4.4.5 wants for the type. Otherwise nothing can be proved from it.</summary>
    public bool IsComplete => Type switch
    {
        ProxyAuthenType.Textual => !Name.IsEmpty && !Response.IsEmpty,
        ProxyAuthenType.Chap or ProxyAuthenType.MsChapV1 => !Name.IsEmpty && !Challenge.IsEmpty && Id is not null && !Response.IsEmpty,
        ProxyAuthenType.Pap => !Name.IsEmpty && Id is not null,
        ProxyAuthenType.NoAuthentication => true,
        _ => false,
    };

    /// <summary>Overwrites the password or answer: for whoever made this copy and has used it.</summary>
    internal void Clear()
    {
        if (MemoryMarshal.TryGetArray(Response, out ArraySegment<byte> octets))
        {
            CryptographicOperations.ZeroMemory(octets);
        }
    }

    /// <summary>Type and name only.</summary>
    public override string ToString() => $"{Type} '{SafeText.ToString(Name.Span)}'";
}

/// <summary>
/// What a LAC says of the link that it ends (RFC 3437 sections 2.1 and 2.2): bodies of Configure-Requests, from the first option on.
/// </summary>
/// <param name="Want">LCP Want Options: what the LNS shall ask the user for; null when not said.</param>
/// <param name="Allow">LCP Allow Options: what the LNS may agree to; null when not said.</param>
public sealed record LcpWishes(ReadOnlyMemory<byte>? Want, ReadOnlyMemory<byte>? Allow);
