using Proxy.Cache;
using Proxy.Dicom;

namespace Proxy.Rendering.Making;

/// <summary>
/// Limits the parameters with which pictures of one instance are cached: a scroll through windows makes a picture for each position,
/// and few of them are asked for again.
/// </summary>
/// <remarks>
/// <code>
/// instance ─┬─ window=40,400,linear   ── frame 1, frame 2, …      the least recently used parameters go first, with their pictures
///           └─ window=40,380,linear   ── frame 1
/// </code>
/// Pictures with usual parameters (<see cref="Requests.RenderedParameters.AreUsual"/>) are few and are not counted here.
/// </remarks>
internal sealed class PictureVariety(EntryCache cache)
{
    /// <summary>The most parameters of one instance.</summary>
    public const int MaxParameters = 8;

    /// <summary>The most pictures with the same parameters: of a long cine loop the oldest go first.</summary>
    public const int MaxPictures = 512;

    /// <summary>The most instances; the pictures of the least recently used one are removed with it.</summary>
    public const int MaxInstances = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Backend, InstancePath Path), LinkedListNode<Shown>> _instances = [];
    private readonly LinkedList<Shown> _order = new();

    /// <summary>The pictures of an instance, the most recently used parameters last.</summary>
    private sealed record Shown((string Backend, InstancePath Path) Instance, List<(string Parameters, List<EntryKey> Pictures)> Sets);

    /// <summary>Notes that a picture is asked for, and removes those that are too many.</summary>
    /// <param name="path">The instance.</param>
    /// <param name="picture">The key of the picture.</param>
    public void Note(InstancePath path, EntryKey picture)
    {
        List<EntryKey> removed = [];
        lock (_lock)
        {
            var shown = Use((picture.Backend, path), removed);
            var sets = shown.Sets;
            var parameters = picture.Representation.Parameters;
            var at = sets.FindIndex(set => set.Parameters == parameters);
            var set = at < 0 ? (parameters, []) : sets[at];
            if (at >= 0) sets.RemoveAt(at);
            sets.Add(set);
            if (!set.Pictures.Contains(picture)) set.Pictures.Add(picture);
            if (set.Pictures.Count > MaxPictures)
            {
                removed.Add(set.Pictures[0]);
                set.Pictures.RemoveAt(0);
            }
            if (sets.Count > MaxParameters)
            {
                removed.AddRange(sets[0].Pictures);
                sets.RemoveAt(0);
            }
        }
        foreach (var key in removed) cache.RemoveFromMemory(key);
    }

    private Shown Use((string Backend, InstancePath Path) instance, List<EntryKey> removed)
    {
        if (_instances.TryGetValue(instance, out var node))
        {
            _order.Remove(node);
            _order.AddLast(node);
            return node.Value;
        }
        var shown = new Shown(instance, []);
        _instances.Add(instance, _order.AddLast(shown));
        if (_instances.Count <= MaxInstances) return shown;
        var oldest = _order.First!.Value;
        _order.RemoveFirst();
        _instances.Remove(oldest.Instance);
        removed.AddRange(oldest.Sets.SelectMany(set => set.Pictures));
        return shown;
    }
}
