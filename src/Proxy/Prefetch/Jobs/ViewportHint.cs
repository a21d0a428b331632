using Proxy.Dicom;

namespace Proxy.Prefetch.Jobs;

/// <summary>Where a viewer looks: the series that he asks most of, and the frame of it that he asked for last.</summary>
public sealed class ViewportHint
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Uid, int> _asked = [];
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private (Uid Series, Uid Instance, int Frame)? _at;

    /// <summary>He has asked for a frame.</summary>
    public Task First => _first.Task;

    public (Uid Series, Uid Instance, int Frame)? At
    {
        get
        {
            lock (_lock) return _at;
        }
    }

    /// <summary>He asks for a frame. One of a series is a thumbnail; more of it, and it is what he looks at.</summary>
    public void Set(Uid series, Uid instance, int frame)
    {
        lock (_lock)
        {
            var count = _asked[series] = _asked.GetValueOrDefault(series) + 1;
            if (_at is null || count > 1 || _at.Value.Series == series) _at = (series, instance, frame);
        }
        _first.TrySetResult();
    }
}
