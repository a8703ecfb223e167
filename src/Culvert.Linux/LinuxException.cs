using System.Runtime.InteropServices;

namespace Culvert.Linux;

/// <summary>
/// A set-up call that the kernel refused. The message is a sentence for an operator: what was attempted, the kernel's words, and
/// what to do where that is known. Per-packet calls never throw it.
/// </summary>
public sealed class LinuxException : Exception
{
    internal const string NetworkAdministration = "CAP_NET_ADMIN";

    /// <param name="error">The kernel's error number.</param>
    /// <param name="attempted">What was attempted, to follow "Cannot": "set the MTU of culvert0 to 1400".</param>
    /// <param name="kernelWords">The kernel's own explanation, where it gave one (netlink extended acknowledgement).</param>
    /// <param name="capability">The capability that the call needs.</param>
    internal LinuxException(Errno error, string attempted, string? kernelWords = null, string capability = NetworkAdministration)
        : base(Describe(error, attempted, kernelWords, capability))
    {
        Error = error;
    }

    public Errno Error { get; }

    private static string Describe(Errno error, string attempted, string? kernelWords, string capability)
    {
        string name = Enum.IsDefined(error) ? error.ToString() : $"errno {(int)error}";
        string words = Marshal.GetPInvokeErrorMessage((int)error);
        string explained = string.IsNullOrEmpty(kernelWords) ? "" : $": {kernelWords}";
        // EACCES has many reasons in the kernel; where it gave one of them, a capability would not help.
        bool isCapabilityMissing = error == Errno.EPERM || (error == Errno.EACCES && explained.Length == 0);
        string advice = isCapabilityMissing ? $"; needs {capability} (run as root or grant it)" : "";
        return $"Cannot {attempted}: {words} ({name}){explained}{advice}.";
    }
}
