using Microsoft.Extensions.Time.Testing;

namespace Proxy.Tests.Pacs;

/// <summary>Who arrives waits until it opens; a test drives time by it instead of by the clock.</summary>
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

    /// <summary>Time goes on, from when somebody waits here, until the work is done all the same.</summary>
    public Task LetTimePassAsync(FakeTimeProvider time, Task work, string what) => Until.TrueAsync(
        () =>
        {
            if (Arrived > 0) time.Advance(TimeSpan.FromMilliseconds(100));
            return work.IsCompleted;
        },
        what);

    public void Open() => _open.TrySetResult();
}
