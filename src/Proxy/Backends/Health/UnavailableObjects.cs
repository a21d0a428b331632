namespace Proxy.Backends.Health;

/// <summary>An object in a form that a backend can deny.</summary>
/// <param name="Path">The path below a DICOMweb root, which begins with the study.</param>
/// <param name="Form">The requested form, in any text.</param>
internal readonly record struct UnavailableObject(string Path, string Form);

/// <summary>Objects that a working backend denied in some form, remembered briefly to spare the backend repeated requests.</summary>
/// <param name="time">The clock.</param>
internal sealed class UnavailableObjects(TimeProvider time)
{
    /// <summary>The most entries; the oldest is removed first.</summary>
    public const int MaxEntries = 10_000;

    /// <summary>The time after which the backend is asked again.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly Dictionary<Key, Denial> _denials = [];
    private readonly Queue<(Key Key, DateTimeOffset At)> _inOrder = new();

    private readonly record struct Key(string Backend, UnavailableObject Object);

    /// <summary>The denial of an object.</summary>
    /// <param name="Failure">The failure; null when the object does not exist.</param>
    /// <param name="DeniedAt">The time of the answer.</param>
    public readonly record struct Denial(BackendFailure? Failure, DateTimeOffset DeniedAt);

    /// <summary>Finds a recent denial of the requested object; null for none.</summary>
    public Denial? Find(string backend, UnavailableObject wanted)
    {
        lock (_lock)
        {
            if (_denials.Count == 0) return null;
            return _denials.TryGetValue(new(backend, wanted), out var denial) && time.GetUtcNow() - denial.DeniedAt < Lifetime
                ? denial
                : null;
        }
    }

    /// <summary>Records a denial.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="denied">The object.</param>
    /// <param name="failure">The failure; null when the object does not exist.</param>
    public void Add(string backend, UnavailableObject denied, BackendFailure? failure)
    {
        var (key, now) = (new Key(backend, denied), time.GetUtcNow());
        lock (_lock)
        {
            _denials[key] = new(failure, now);
            _inOrder.Enqueue((key, now));
            while (_inOrder.TryPeek(out var oldest) && (now - oldest.At >= Lifetime || _inOrder.Count > MaxEntries))
            {
                _inOrder.Dequeue();
                // An object that was denied again has a later entry in the queue.
                if (_denials.TryGetValue(oldest.Key, out var denial) && denial.DeniedAt == oldest.At) _denials.Remove(oldest.Key);
            }
        }
    }

    /// <summary>Removes the entries of a backend that was removed from the settings or has a new address.</summary>
    public void RemoveBackend(string backend)
    {
        lock (_lock)
        {
            foreach (var key in _denials.Keys.Where(key => key.Backend == backend).ToList()) _denials.Remove(key);
        }
    }

    /// <summary>Forgets the objects of a study, or all of them when it is null: the operator purged the cache.</summary>
    public void Purge(string? study)
    {
        lock (_lock)
        {
            foreach (var key in _denials.Keys.Where(key => study is null || IsIn(study, key.Object.Path)).ToList()) _denials.Remove(key);
        }
    }

    private static bool IsIn(string study, string path) =>
        path.StartsWith($"studies/{study}", StringComparison.Ordinal) && path.AsSpan($"studies/{study}".Length) is [] or ['/' or '?', ..];
}
