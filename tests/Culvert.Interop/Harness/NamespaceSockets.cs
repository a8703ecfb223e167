using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Culvert.Interop.Harness;

/// <summary>Sockets inside another network namespace: a socket stays where it was opened, whichever thread uses it later.</summary>
public static partial class NamespaceSockets
{
    private const int CloneNewNet = 0x4000_0000;

    /// <summary>Runs <paramref name="open"/> on a thread that has entered the namespace (and ends there).</summary>
    public static Socket Open(string inNamespace, Func<Socket> open)
    {
        Socket? socket = null;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle($"/run/netns/{inNamespace}");
                if (SetNs(file, CloneNewNet) != 0)
                {
                    throw new InteropException($"setns {inNamespace}: error {Marshal.GetLastPInvokeError()}");
                }

                socket = open();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return socket ?? throw new InteropException($"no socket in {inNamespace}: {failure?.Message}");
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNs(Microsoft.Win32.SafeHandles.SafeFileHandle file, int kind);
}
