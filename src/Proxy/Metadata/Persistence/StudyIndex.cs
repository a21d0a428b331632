using System.IO.Hashing;
using System.Runtime.InteropServices;
using Proxy.Dicom;

namespace Proxy.Metadata.Persistence;

/// <summary>Which studies a file has, in memory: some 20 bytes for each.</summary>
/// <remarks>
/// Studies are known by 64 bits of a hash. Two of a million share one with a chance of 1 in 30 million; then one of them
/// is looked for in vain, or counted as one.
/// </remarks>
internal sealed class StudyIndex
{
    /// <summary>A backend chooses its UIDs, but not where they fall.</summary>
    private static readonly long Seed = Random.Shared.NextInt64();

    private readonly Lock _lock = new();
    private HashSet<ulong> _hashes = [];
    private int _generation = -1;

    /// <summary>Which file this is the index of; -1 for none yet.</summary>
    public int Generation => Volatile.Read(ref _generation);

    public int Count
    {
        get
        {
            lock (_lock) return _hashes.Count;
        }
    }

    public bool Has(Uid uid)
    {
        lock (_lock) return _hashes.Contains(GetHash(uid));
    }

    /// <summary>Begins anew, for a file as it is now.</summary>
    public void Set(IEnumerable<Uid> uids, int generation)
    {
        // What is no UID, in a damaged file, is none.
        HashSet<ulong> hashes = [.. uids.Where(uid => uid != default).Select(GetHash)];
        lock (_lock) _hashes = hashes;
        Volatile.Write(ref _generation, generation);
    }

    public void Set(Uid uid, bool isThere)
    {
        lock (_lock)
        {
            if (isThere) _hashes.Add(GetHash(uid));
            else _hashes.Remove(GetHash(uid));
        }
    }

    public void Remove(IEnumerable<Uid> uids)
    {
        foreach (var uid in uids) Set(uid, isThere: false);
    }

    public void Clear()
    {
        lock (_lock) _hashes.Clear();
    }

    private static ulong GetHash(Uid uid) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(uid.ToString().AsSpan()), Seed);
}
