using System.IO.Hashing;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cluster.Changes;
using StackExchange.Redis;

namespace Proxy.Cluster;

/// <summary>Bodies in the engine: found, verified before their first byte is used, and written behind the requests.</summary>
/// <remarks>
/// 1. The head, under the time limit of a small value. 2. The bytes, in pooled arrays, under a limit that grows with them. 3. The checksum.
/// A damaged value is deleted, counted and a miss.
/// </remarks>
/// <param name="engine">The connections.</param>
/// <param name="keys">The keys.</param>
/// <param name="changes">Says which values are still valid.</param>
/// <param name="inFlight">Counts the bytes of bodies in use.</param>
/// <param name="maxBytes">The length of the largest body, in bytes.</param>
internal sealed class SharedBodies(
    SharedEngine engine, SharedKeys keys, ChangeLog changes, InFlightBytes inFlight, long maxBytes)
{
    /// <summary>The length of the values that a body is split into.</summary>
    public const int ChunkBytes = 1 << 20;

    /// <summary>How long an unused and a used body stay; the engine evicts earlier when it is full.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(1);

    /// <summary>
    /// Writes a value, unless its study changed after the position of the writer. The index is written first and lives longer, so that a
    /// later purge finds the value.
    /// </summary>
    private const string WriteScript =
        """
        local changed = redis.call('GET', KEYS[1])
        if changed then
          local epoch, number = string.match(changed, '^(%x+):(%d+)$')
          if epoch ~= ARGV[1] or tonumber(number) > tonumber(ARGV[2]) then return 0 end
        end
        redis.call('SADD', KEYS[2], KEYS[3])
        redis.call('PEXPIRE', KEYS[2], 2 * ARGV[3])
        redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[3])
        return 1
        """;

    private long _damaged;

    /// <summary>Look-ups by backend.</summary>
    public CacheStatistics Statistics { get; } = new();

    /// <summary>Values that were damaged.</summary>
    public long Damaged => Interlocked.Read(ref _damaged);

    /// <summary>Finds the first of some bodies.</summary>
    /// <param name="wanted">Entries of one backend.</param>
    /// <param name="identity">The identity of the backend.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <returns>The body and the index of its entry; null for none.</returns>
    public async ValueTask<(int Index, MemoryBody Body)?> FindAsync(
        IReadOnlyList<AcceptableEntry> wanted, string identity, CancellationToken cancellation)
    {
        // 1.
        var heads = await ReadHeadsAsync(wanted, identity, cancellation);
        for (var i = 0; i < heads.Length; i++)
        {
            if (heads[i] is not { } found || await ReadAsync(found, cancellation) is not { } body) continue;
            return (i, body);
        }
        return null;
    }

    /// <summary>True when there is a head of one of these.</summary>
    public async ValueTask<bool> HasAsync(
        IReadOnlyList<AcceptableEntry> wanted, string identity, CancellationToken cancellation) =>
        (await ReadHeadsAsync(wanted, identity, cancellation)).Any(head => head is not null);

    /// <summary>Writes a body: the bytes, then the head.</summary>
    /// <param name="position">The position of the change log when the body was added.</param>
    /// <param name="key">The key.</param>
    /// <param name="identity">The identity of the backend.</param>
    /// <param name="entry">The body.</param>
    /// <returns>False when it was not written, also because it was removed meanwhile.</returns>
    public async Task<bool> WriteAsync(LogPosition position, EntryKey key, string identity, Entry entry)
    {
        if (entry.Length > maxBytes) return true;
        if (!changes.IsValid(position, key)) return false;
        key = key with { Backend = identity };
        var hash = new XxHash128();
        foreach (var piece in entry.Pieces) hash.Append(piece.Span);
        if (SharedHead.Write(position, key, entry, hash.GetCurrentHashAsUInt128()) is not { } head) return false;
        var name = keys.GetBody(key);
        var number = 0;
        foreach (var chunk in Split(entry))
        {
            if (!await WriteAsync(position, key, $"{name}:{number++}", chunk)) return false;
        }
        return await WriteAsync(position, key, name, head);
    }

    /// <summary>Deletes one body.</summary>
    /// <param name="key">The key, with the identity of the backend.</param>
    /// <returns>False when the engine did not answer.</returns>
    public async Task<bool> RemoveAsync(EntryKey key)
    {
        RedisKey name = keys.GetBody(key);
        return (await engine.AskAsync(db => db.KeyDeleteAsync(name), default)).IsAnswered;
    }

    private async Task<bool> WriteAsync(LogPosition position, EntryKey key, string name, ReadOnlyMemory<byte> value)
    {
        RedisKey[] written = [keys.GetChanged(key.Study), keys.GetIndex(key.Study), name];
        RedisValue[] arguments = [$"{position.Epoch:n}", position.Number, (long)Lifetime.TotalMilliseconds, value];
        var answer = await engine.AskBulkAsync(value.Length, db => db.ScriptEvaluateAsync(WriteScript, written, arguments), default);
        return answer.IsAnswered && (int)answer.Value! == 1;
    }

    private async ValueTask<Cache.OnDisk.EntryFile.Found?[]> ReadHeadsAsync(
        IReadOnlyList<AcceptableEntry> wanted, string identity, CancellationToken cancellation)
    {
        List<EntryKey> stored = [.. wanted.Select(acceptable => acceptable.Key with { Backend = identity })];
        var answer = await engine.AskAsync(
            db => Task.WhenAll(stored.Select(key => db.StringGetAsync(keys.GetBody(key)))), cancellation);
        if (!answer.IsAnswered) return [];
        var heads = new Cache.OnDisk.EntryFile.Found?[wanted.Count];
        for (var i = 0; i < heads.Length; i++)
        {
            if (answer.Value![i].IsNull) continue;
            if (SharedHead.Read((byte[])answer.Value[i]!) is not var (position, found) || found.Key != stored[i]
                || found.Length > maxBytes)
                await DropDamagedAsync(stored[i]);
            else if (changes.IsValid(position, wanted[i].Key) && wanted[i].IsSatisfiedBy(found.Head)) heads[i] = found;
        }
        return heads;
    }

    private async ValueTask<MemoryBody?> ReadAsync(Cache.OnDisk.EntryFile.Found found, CancellationToken cancellation)
    {
        if (!inFlight.TryReserve(found.Length)) return null;
        var leases = new List<Lease<byte>>();
        var isGiven = false;
        try
        {
            // 2.
            var count = (int)((found.Length + ChunkBytes - 1) / ChunkBytes);
            var name = keys.GetBody(found.Key);
            var answer = await engine.AskBulkAsync(
                found.Length, db => Task.WhenAll(Enumerable.Range(0, count).Select(n => db.StringGetLeaseAsync($"{name}:{n}"))),
                cancellation);
            if (!answer.IsAnswered) return null;
            leases.AddRange(answer.Value!.OfType<Lease<byte>>());
            // 3.
            var hash = new XxHash128();
            foreach (var lease in leases) hash.Append(lease.Span);
            if (leases.Count != count || leases.Sum(lease => (long)lease.Length) != found.Length
                || hash.GetCurrentHashAsUInt128() != found.Hash)
            {
                // The engine evicts chunks one by one: a missing one is no damage.
                if (leases.Count == count) await DropDamagedAsync(found.Key);
                return null;
            }
            isGiven = true;
            return new(
                found.Head, found.Stored, found.IsPrefetched, [.. leases.Select(lease => (ReadOnlyMemory<byte>)lease.Memory)],
                () => Release(leases, found.Length));
        }
        finally
        {
            if (!isGiven) Release(leases, found.Length);
        }
    }

    private void Release(List<Lease<byte>> leases, long bytes)
    {
        foreach (var lease in leases) lease.Dispose();
        inFlight.Release(bytes);
    }

    private async Task DropDamagedAsync(EntryKey key)
    {
        Interlocked.Increment(ref _damaged);
        await RemoveAsync(key);
    }

    /// <summary>The bytes in chunks; a piece that is one chunk is not copied.</summary>
    private static IEnumerable<ReadOnlyMemory<byte>> Split(Entry entry)
    {
        byte[]? chunk = null;
        var filled = 0;
        var left = entry.Length;
        foreach (var piece in entry.Pieces)
        {
            for (var rest = piece; !rest.IsEmpty;)
            {
                var size = (int)Math.Min(ChunkBytes, left);
                if (filled == 0 && rest.Length >= size)
                {
                    yield return rest[..size];
                    (rest, left) = (rest[size..], left - size);
                    continue;
                }
                chunk ??= new byte[size];
                var count = Math.Min(chunk.Length - filled, rest.Length);
                rest.Span[..count].CopyTo(chunk.AsSpan(filled));
                (rest, filled) = (rest[count..], filled + count);
                if (filled < chunk.Length) continue;
                yield return chunk;
                (left, filled, chunk) = (left - chunk.Length, 0, null);
            }
        }
    }
}
