using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>Instances that clients store in a backend through the proxy: they become entries when the backend has accepted them.</summary>
public sealed partial class EntryCache
{
    /// <summary>The open captures by backend and SOP instance UID, which no two instances of a backend share.</summary>
    private readonly Dictionary<(string Backend, Uid Instance), List<InstanceCapture>> _captures = [];

    private long _capturedBytes;

    /// <summary>
    /// Opens a capture of an instance on its way to a backend. While another request stores an instance with the same UID there, it is not
    /// known which of them the backend holds in the end: then all their captures are dropped. Close it in any outcome.
    /// </summary>
    public InstanceCapture OpenCapture(string backend, InstancePath path)
    {
        var key = new EntryKey(backend, path.ToString(), new BodyFormat(BodyFormat.Dicom, BodyFormat.Any));
        var capture = new InstanceCapture(key, TryCapture, ReleaseCaptured);
        lock (_captures)
        {
            if (_captures.TryGetValue((backend, path.Instance), out var others))
            {
                others.Add(capture);
                foreach (var contested in others) contested.Drop();
            }
            else
            {
                _captures.Add((backend, path.Instance), [capture]);
            }
        }
        return capture;
    }

    /// <summary>Closes a capture, stored or not.</summary>
    public void CloseCapture(InstanceCapture capture, InstancePath path)
    {
        capture.Drop();
        lock (_captures)
        {
            var key = (capture.Key.Backend, path.Instance);
            if (_captures.TryGetValue(key, out var open) && open.Remove(capture) && open.Count == 0) _captures.Remove(key);
        }
    }

    /// <summary>Stores a captured instance, unless its capture was dropped.</summary>
    /// <returns>False when it was dropped meanwhile: what else says that the instance exists is not valid either.</returns>
    public async ValueTask<bool> AddCapturedAsync(InstanceCapture capture, Entry entry)
    {
        var usage = new BodyUsage(_memory.InFlight, entry.Length);
        usage.AddReader();
        var counted = entry with { Usage = usage };
        try
        {
            if (capture.IsDropped) return false;
            await RemoveTwinAsync(capture.Key, entry.Head);
            _memory.Add(capture.Key, counted);
            await _next.AddAsync(capture.Key, counted);
            // A removal drops first and removes then: either it found the entry, or the drop is seen here.
            if (!capture.IsDropped) return true;
            Remove(capture.Key);
            return false;
        }
        finally
        {
            usage.RemoveReader();
        }
    }

    private void DropCaptures(Removal removal)
    {
        lock (_captures)
        {
            foreach (var capture in _captures.Values.SelectMany(open => open).Where(open => removal.Matches(open.Key))) capture.Drop();
        }
    }

    /// <summary>All captures together take at most a quarter of what may be in flight, so that stored instances slow no viewer.</summary>
    private bool TryCapture(long bytes)
    {
        var max = _memory.InFlight.Limit / 4;
        if (Interlocked.Add(ref _capturedBytes, bytes) <= max && _memory.InFlight.TryReserve(bytes, makesRoom: false)) return true;
        Interlocked.Add(ref _capturedBytes, -bytes);
        return false;
    }

    private void ReleaseCaptured(long bytes)
    {
        Interlocked.Add(ref _capturedBytes, -bytes);
        _memory.InFlight.Release(bytes);
    }
}
