using System.Diagnostics;
using Proxy.Operations;

namespace Proxy.Backends.Health;

/// <summary>Logs failures: at most one line per backend, error and second, then the number of suppressed failures.</summary>
/// <remarks>
/// A backend that is down under load fails thousands of times per second; that many lines would fill the disk and hide others.
/// </remarks>
internal sealed class FailureLog(TimeProvider time, ILogger log) : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Backend, BackendError Error), Suppression> _suppressed = [];

    /// <summary>The rest of the second after a line: failures with the same key are only counted.</summary>
    private sealed class Suppression(string reason)
    {
        public readonly string Reason = reason;
        public int Count;
        public ITimer? Timer;
    }

    /// <summary>Logs a failure, or counts it when its key was logged in the last second.</summary>
    /// <param name="failure">The failure.</param>
    /// <param name="request">The request in words that contain no patient data.</param>
    public void Write(BackendFailure failure, string request)
    {
        var key = (failure.Backend, failure.Error);
        lock (_lock)
        {
            if (_suppressed.TryGetValue(key, out var current))
            {
                current.Count++;
                return;
            }
            var suppression = new Suppression(failure.Reason);
            _suppressed[key] = suppression;
            suppression.Timer = time.CreateTimer(_ => End(key, suppression), null, Period, Timeout.InfiniteTimeSpan);
        }
        log.BackendFailed(
            failure.Backend, request, failure.Reason, failure.Detail.TrimEnd('.'), failure.Remedy is { } remedy ? " " + remedy : "",
            Activity.Current is { } activity ? $" Trace {activity.TraceId}." : "");
    }

    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var suppression in _suppressed.Values) suppression.Timer?.Dispose();
            _suppressed.Clear();
        }
    }

    private void End((string Backend, BackendError Error) key, Suppression suppression)
    {
        lock (_lock)
        {
            suppression.Timer?.Dispose();
            _suppressed.Remove(key);
        }
        if (suppression.Count > 0) log.BackendFailedRepeatedly(key.Backend, suppression.Count, suppression.Reason);
    }
}
