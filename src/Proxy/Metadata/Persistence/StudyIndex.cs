using System.IO.Hashing;
using System.Runtime.InteropServices;
using Proxy.Dicom;

namespace Proxy.Metadata.Persistence;

/// <summary>The studies in a file, as a set in memory: some 20 bytes per study.</summary>
/// <remarks>
/// A study is known by a 64-bit hash. Among a million studies two collide with a probability of 1 in 30 million; the effect is a vain
/// read of the file, or a count that is one too low.
/// </remarks>
internal sealed class StudyIndex
{
    /// <summary>Random, as a backend chooses its UIDs and must not choose their hash.</summary>
    private static readonly long Seed = Random.Shared.NextInt64();

    private readonly Lock _lock = new();
    private HashSet<ulong> _hashes = [];
    private int _generation = -1;
    private long _changes;

    /// <summary>The generation of the file; -1 before the first.</summary>
    public int Generation => Volatile.Read(ref _generation);

    /// <summary>Grows when a study is added or removed.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    /// <summary>The number of studies.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _hashes.Count;
        }
    }

    /// <summary>True when the file may have the study; false is certain.</summary>
    public bool Has(Uid uid)
    {
        lock (_lock) return _hashes.Contains(GetHash(uid));
    }

    /// <summary>Replaces the content after reading a file.</summary>
    public void Set(IEnumerable<Uid> uids, int generation)
    {
        // A damaged file may contain invalid UIDs.
        HashSet<ulong> hashes = [.. uids.Where(uid => uid != default).Select(GetHash)];
        lock (_lock) _hashes = hashes;
        Interlocked.Increment(ref _changes);
        Volatile.Write(ref _generation, generation);
    }

    /// <summary>Adds or removes a study.</summary>
    public void Set(Uid uid, bool exists)
    {
        lock (_lock)
        {
            if (exists ? _hashes.Add(GetHash(uid)) : _hashes.Remove(GetHash(uid))) Interlocked.Increment(ref _changes);
        }
    }

    /// <summary>Removes studies.</summary>
    public void Remove(IEnumerable<Uid> uids)
    {
        foreach (var uid in uids) Set(uid, exists: false);
    }

    /// <summary>Removes all studies.</summary>
    public void Clear()
    {
        lock (_lock) _hashes.Clear();
        Interlocked.Increment(ref _changes);
    }

    private static ulong GetHash(Uid uid) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(uid.ToString().AsSpan()), Seed);
}
