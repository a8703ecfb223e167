using System.Runtime.InteropServices;

namespace Culvert.Cli;

/// <summary>SIGTERM and Ctrl-C ask for a clean end. A second Ctrl-C ends at once.</summary>
internal sealed class Termination : IDisposable
{
    private readonly TaskCompletionSource _requested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PosixSignalRegistration[] _registrations;

    public Termination() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
        PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal),
    ];

    public Task Requested => _requested.Task;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private void OnSignal(PosixSignalContext context) =>
        context.Cancel = _requested.TrySetResult() || context.Signal != PosixSignal.SIGINT;
}
