using Proxy.Operations;

namespace Proxy.Backends.Health;

/// <summary>Logs failures: one line for each backend, kind of failure and second, then how many more there were.</summary>
/// <remarks>
/// A backend that is down under load fails thousands of times a second: as many lines would fill the disk and hide the others.
/// </remarks>
internal sealed class FailureLog(TimeProvider time, ILogger log) : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Backend, BackendError Error), Quiet> _quiet = [];

    /// <summary>The rest of the second behind a line: failures of the same kind are only counted.</summary>
    private sealed class Quiet
    {
        public int More;
        public ITimer? Timer;
    }

    public void Write(BackendFailure failure, BackendRequest request)
    {
        var key = (failure.Backend, failure.Error);
        lock (_lock)
        {
            if (_quiet.TryGetValue(key, out var running))
            {
                running.More++;
                return;
            }
            var quiet = new Quiet();
            _quiet[key] = quiet;
            quiet.Timer = time.CreateTimer(_ => End(key, quiet), null, Period, Timeout.InfiniteTimeSpan);
        }
        log.BackendFailed(failure.Backend, request.LogPath, failure.Error.ToString(), failure.Detail);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var quiet in _quiet.Values) quiet.Timer?.Dispose();
            _quiet.Clear();
        }
    }

    private void End((string Backend, BackendError Error) key, Quiet quiet)
    {
        lock (_lock)
        {
            quiet.Timer?.Dispose();
            _quiet.Remove(key);
        }
        if (quiet.More > 0) log.BackendFailedMore(key.Backend, quiet.More, key.Error.ToString());
    }
}
