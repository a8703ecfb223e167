using Culvert.Testing;

namespace Culvert.L2tp.Tests.Wire;

/// <summary>Packets typed by hand from the boxes of RFC 2661 (and 3145, 5515), octet by octet.</summary>
internal static class GoldenPackets
{
    public const string Secret = "tunnel secret";

    public static readonly byte[] Sccrq = Hex.Parse("""
        c802 007e 0000 0000 0000 0000           # T L S, version 2; Length 126; tunnel 0, session 0; Ns 0, Nr 0
        8008 0000 0000 0001                     # M, Message Type SCCRQ
        8008 0000 0002 0100                     # M, Protocol Version 1.0
        800a 0000 0003 00000003                 # M, Framing Capabilities async+sync
        800a 0000 0004 00000002                 # M, Bearer Capabilities analog
        000e 0000 0005 0123456789abcdef         # Tie Breaker
        0008 0000 0006 0690                     # Firmware Revision
        800a 0000 0007 6c616331                 # M, Host Name "lac1"
        000b 0000 0008 4163 6d65 21             # Vendor Name "Acme!"
        8008 0000 0009 1234                     # M, Assigned Tunnel ID 0x1234
        8008 0000 000a 0010                     # M, Receive Window Size 16
        8013 0000 000b 0102030405060708090a0b0c0d  # M, Challenge, 13 octets
        """);

    public static readonly byte[] Sccrp = Hex.Parse("""
        c802 0064 1234 0000 0000 0001
        8008 0000 0000 0002
        8008 0000 0002 0100
        800a 0000 0003 00000001
        800a 0000 0007 6c6e7331                 # Host Name "lns1"
        8008 0000 0009 beef
        8016 0000 000b 000102030405060708090a0b0c0d0e0f
        8016 0000 000d f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff
        """);

    public static readonly byte[] Scccn = Hex.Parse("""
        c802 002a beef 0000 0001 0001
        8008 0000 0000 0003
        8016 0000 000d 00112233445566778899aabbccddeeff
        """);

    public static readonly byte[] StopCcn = Hex.Parse("""
        c802 0035 beef 0000 0002 0001
        8008 0000 0000 0004
        8008 0000 0009 1234
        8019 0000 0001 0002 0008 756e6b6e6f776e20 4156502039 3939   # Result 2, Error 8, "unknown AVP 999"
        """);

    public static readonly byte[] Hello = Hex.Parse("c802 0014 beef 0000 0003 0004  8008 0000 0000 0006");

    public static readonly byte[] Zlb = Hex.Parse("c802 000c beef 0000 0003 0005");

    public static readonly byte[] Icrq = Hex.Parse("""
        c802 008d beef 0000 0002 0001
        8008 0000 0000 000a
        8008 0000 000e 4321                     # Assigned Session ID
        800a 0000 000f 0000002a                 # Call Serial Number 42
        800a 0000 0012 00000000                 # Bearer Type: neither
        000a 0000 0019 00000007                 # Physical Channel ID
        8009 0000 0016 353531                   # Calling Number "551"
        8009 0000 0015 343432                   # Called Number "442"
        8008 0000 0017 3039                     # Sub-Address "09"
        0016 0137 0001 000102030405060708090a0b0c0d0e0f  # Microsoft's correlation ID
        000c 0de9 0001 706f72742031             # Agent-Circuit-Id "port 1": vendor 3561, type 1
        000e 0de9 0082 0000000005f5e100         # Actual-Data-Rate-Downstream 100,000,000
        0009 0de9 0090 010200                   # Access-Loop-Encapsulation
        """);

    public static readonly byte[] Icrp = Hex.Parse("c802 001c 1234 4321 0001 0003  8008 0000 0000 000b  8008 0000 000e 8765");

    public static readonly byte[] Iccn = Hex.Parse("""
        c802 00a4 beef 8765 0003 0002
        8008 0000 0000 000c
        800a 0000 0018 05f5e100                 # Tx Connect Speed
        800a 0000 0013 00000001                 # Framing Type sync
        000a 0000 0026 00989680                 # Rx Connect Speed
        8006 0000 0027                          # Sequencing Required
        0014 0000 001a 0104 05d4 0506 11223344 0702 0802   # Initial Received LCP CONFREQ
        000f 0000 001b 0305 c22305 0104 05d4    # Last Sent LCP CONFREQ
        000a 0000 001c 0104 05d4                # Last Received LCP CONFREQ
        0008 0000 001d 0002                     # Proxy Authen Type CHAP
        000b 0000 001e 616c696365               # Proxy Authen Name "alice"
        000e 0000 001f 1122334455667788         # Proxy Authen Challenge
        0008 0000 0020 0007                     # Proxy Authen ID 7
        0016 0000 0021 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf  # Proxy Authen Response
        """);

    public static readonly byte[] Ocrq = Hex.Parse("""
        c802 0057 1234 0000 0001 0002
        8008 0000 0000 0007
        8008 0000 000e 4444
        800a 0000 000f 00000001
        800a 0000 0010 00002580                 # Minimum BPS 9600
        800a 0000 0011 0000fa00                 # Maximum BPS 64000
        800a 0000 0012 00000003
        800a 0000 0013 00000003
        8009 0000 0015 313233                   # Called Number
        """);

    public static readonly byte[] Cdn = Hex.Parse("""
        c802 0049 beef 8765 0004 0002
        8008 0000 0000 000e
        8008 0000 0001 0003                     # Result Code 3, no Error Code
        8008 0000 000e 4321
        800c 0000 000c 0010 45 627965           # Q.931 cause 16, DISCONNECT, "bye"
        0019 0000 002e 0010 c223 02 77726f6e672070617373776f7264   # PPP Disconnect Cause Code 16, at local, "wrong password"
        """);

    public static readonly byte[] Wen = Hex.Parse("""
        c802 0034 beef 8765 0005 0002
        8008 0000 0000 000f
        8020 0000 0022 0000 00000001 00000002 00000003 00000004 00000005 00000006
        """);

    public static readonly byte[] Sli = Hex.Parse("""
        c802 0024 1234 4321 0002 0005
        8008 0000 0000 0010
        8010 0000 0023 0000 000a0000 ffffffff
        """);

    /// <summary>An SCCRQ whose Assigned Tunnel ID (0x1234) and Vendor Name are hidden; see <see cref="AvpHidingTests"/>.</summary>
    public static readonly byte[] HiddenSccrq = Hex.Parse("""
        c802 0062 0000 0000 0000 0000
        8008 0000 0000 0001
        8008 0000 0002 0100
        800a 0000 0003 00000003
        800a 0000 0007 6c616331
        8016 0000 0024 000102030405060708090a0b0c0d0e0f  # Random Vector
        c00a 0000 0009 9b7afb1f                 # M H, Assigned Tunnel ID
        0012 0137 0063 00112233 44556677 8899aabb        # a vendor's, unknown, without M
        """);

    public static readonly byte[] Data = Hex.Parse("0002 beef 8765  ff03 c021 0101 0004");

    public static readonly byte[] DataWithEverything = Hex.Parse("4b02 0018 beef 8765 0007 0000 0002 0000  ff03 c021 0901 0004");

    /// <summary>All of them, by name.</summary>
    public static readonly IReadOnlyDictionary<string, byte[]> All = new Dictionary<string, byte[]>
    {
        [nameof(Sccrq)] = Sccrq,
        [nameof(Sccrp)] = Sccrp,
        [nameof(Scccn)] = Scccn,
        [nameof(StopCcn)] = StopCcn,
        [nameof(Hello)] = Hello,
        [nameof(Zlb)] = Zlb,
        [nameof(Icrq)] = Icrq,
        [nameof(Icrp)] = Icrp,
        [nameof(Iccn)] = Iccn,
        [nameof(Ocrq)] = Ocrq,
        [nameof(Cdn)] = Cdn,
        [nameof(Wen)] = Wen,
        [nameof(Sli)] = Sli,
        [nameof(HiddenSccrq)] = HiddenSccrq,
        [nameof(Data)] = Data,
        [nameof(DataWithEverything)] = DataWithEverything,
    };

    public static TheoryData<string> Names => [.. All.Keys];

    public static ReadOnlySpan<byte> BodyOf(byte[] message) => message.AsSpan(12);
}
