using Microsoft.Extensions.Time.Testing;

namespace Proxy.Tests.Pacs;

/// <summary>Callers wait at the gate until it opens; tests control the order of events with it instead of the clock.</summary>
public sealed class Gate
{
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _arrived;

    public int Arrived => Volatile.Read(ref _arrived);

    public bool IsOpen => _open.Task.IsCompleted;

    public Task PassAsync()
    {
        Interlocked.Increment(ref _arrived);
        return _open.Task;
    }

    /// <summary>Advances the time, once a caller waits at the gate, until the work completes with the gate closed.</summary>
    public Task LetTimePassAsync(FakeTimeProvider time, Task work, string what) => Until.TrueAsync(
        () =>
        {
            if (Arrived > 0) time.Advance(TimeSpan.FromMilliseconds(100));
            return work.IsCompleted;
        },
        what);

    public void Open() => _open.TrySetResult();
}
