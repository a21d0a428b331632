using Proxy.Dicom;

namespace Proxy.Prefetch.Jobs;

/// <summary>The viewer's position in a study: the active series and its last requested frame.</summary>
public sealed class ViewportHint
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Uid, int> _counts = [];
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private (Uid Series, Uid Instance, int Frame)? _at;

    /// <summary>Completes with the first requested frame.</summary>
    public Task FirstFrame => _first.Task;

    /// <summary>The last position; null before the first frame.</summary>
    public (Uid Series, Uid Instance, int Frame)? Position
    {
        get
        {
            lock (_lock) return _at;
        }
    }

    /// <summary>Records a requested frame. A single frame of a series may be a thumbnail; a second one makes the series active.</summary>
    public void Set(Uid series, Uid instance, int frame)
    {
        lock (_lock)
        {
            var count = _counts[series] = _counts.GetValueOrDefault(series) + 1;
            if (_at is null || count > 1 || _at.Value.Series == series) _at = (series, instance, frame);
        }
        _first.TrySetResult();
    }
}
