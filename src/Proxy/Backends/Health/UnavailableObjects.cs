namespace Proxy.Backends.Health;

/// <summary>
/// Objects that a working backend could not give in a form, remembered for a moment so that not every request asks for
/// them again.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class UnavailableObjects(TimeProvider time)
{
    /// <summary>More are not remembered: the oldest leaves.</summary>
    public const int MostEntries = 10_000;

    /// <summary>After that the backend is asked again.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly Dictionary<Key, Denial> _denials = [];
    private readonly Queue<(Key Key, DateTimeOffset At)> _inOrder = new();

    private readonly record struct Key(string Backend, string PathAndQuery, string Accept);

    /// <summary>How the backend denied an object.</summary>
    /// <param name="Failure">Null when it said that there is no such object.</param>
    /// <param name="At">When.</param>
    public readonly record struct Denial(BackendFailure? Failure, DateTimeOffset At);

    /// <summary>How the backend denied this a moment ago; null when it did not.</summary>
    public Denial? Find(string backend, BackendRequest request)
    {
        lock (_lock)
        {
            if (_denials.Count == 0) return null;
            return _denials.TryGetValue(GetKey(backend, request), out var denial) && time.GetUtcNow() - denial.At < Lifetime
                ? denial
                : null;
        }
    }

    /// <param name="backend">The backend's name.</param>
    /// <param name="request">What was asked.</param>
    /// <param name="failure">Null when it said that there is no such object.</param>
    public void Add(string backend, BackendRequest request, BackendFailure? failure)
    {
        var (key, now) = (GetKey(backend, request), time.GetUtcNow());
        lock (_lock)
        {
            _denials[key] = new(failure, now);
            _inOrder.Enqueue((key, now));
            while (_inOrder.TryPeek(out var oldest) && (now - oldest.At >= Lifetime || _inOrder.Count > MostEntries))
            {
                _inOrder.Dequeue();
                // One that was denied again since has a younger place in the queue.
                if (_denials.TryGetValue(oldest.Key, out var denial) && denial.At == oldest.At) _denials.Remove(oldest.Key);
            }
        }
    }

    /// <summary>Forgets a backend that is configured no more, or has moved.</summary>
    public void Forget(string backend)
    {
        lock (_lock)
        {
            foreach (var key in _denials.Keys.Where(key => key.Backend == backend).ToList()) _denials.Remove(key);
        }
    }

    private static Key GetKey(string backend, BackendRequest request) => new(backend, request.PathAndQuery, request.Accept);
}
