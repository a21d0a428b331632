using Proxy.Cache;
using Proxy.Cluster.Changes;
using StackExchange.Redis;

namespace Proxy.Cluster;

/// <summary>Deletes from the engine the bodies that a change selects; those that remain are invalid, and expire.</summary>
/// <param name="engine">The connections.</param>
/// <param name="keys">The keys.</param>
/// <param name="identityOf">The identity of a backend; null when it is not configured.</param>
internal sealed class SharedDeletion(SharedEngine engine, SharedKeys keys, Func<string, string?> identityOf)
{
    private const int Page = 500;

    /// <summary>Marks the study as changed, so that a write which began before is refused, and returns the keys of its bodies.</summary>
    private const string MarkScript =
        """
        local epoch, number = string.match(redis.call('GET', KEYS[1]) or '', '^(%x+):(%d+)$')
        if epoch ~= ARGV[1] or tonumber(number) < tonumber(ARGV[2]) then
          redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[2], 'PX', ARGV[3])
        end
        return redis.call('SMEMBERS', KEYS[2])
        """;

    /// <summary>Deletes what a change selects.</summary>
    /// <param name="change">The change.</param>
    /// <param name="position">Its position in the log.</param>
    /// <param name="cancellation">Cancelled when the process ends.</param>
    /// <returns>False when the engine has not confirmed all deletions: call it again.</returns>
    public async Task<bool> DeleteAsync(Change change, LogPosition position, CancellationToken cancellation)
    {
        if (!change.SelectsBodies) return true;
        return change.Removal.Study is { } study
            ? await DeleteStudyAsync(change.Removal, study.ToString(), position, cancellation)
            : await ScanAsync(change.Removal, cancellation);
    }

    private async Task<bool> DeleteStudyAsync(Removal removal, string study, LogPosition position, CancellationToken cancellation)
    {
        var index = keys.GetIndex(study);
        RedisKey[] marked = [keys.GetChanged(study), index];
        RedisValue[] arguments = [$"{position.Epoch:n}", position.Number, (long)SharedBodies.Lifetime.TotalMilliseconds];
        var answer = await engine.WorkAsync(db => db.ScriptEvaluateAsync(MarkScript, marked, arguments), cancellation);
        if (!answer.IsAnswered) return false;
        var selected = SharedKeys.GetSelection(removal, removal.Backend is { } backend ? identityOf(backend) : null);
        foreach (var some in ((string[])answer.Value!).Where(name => selected.IsMatch(name)).Chunk(Page))
        {
            RedisKey[] names = [.. some.Select(name => (RedisKey)name)];
            RedisValue[] members = [.. some.Select(name => (RedisValue)name)];
            if (!(await engine.WorkAsync(db => db.KeyDeleteAsync(names), cancellation)).IsAnswered) return false;
            if (!(await engine.WorkAsync(db => db.SetRemoveAsync(index, members), cancellation)).IsAnswered) return false;
        }
        return true;
    }

    private async Task<bool> ScanAsync(Removal removal, CancellationToken cancellation)
    {
        if (keys.FindPattern(removal.Backend is { } name ? identityOf(name) : null, isOfBackend: removal.Backend is not null)
            is not { } pattern)
            return true;
        foreach (var server in engine.GetServers())
        {
            var found = new List<RedisKey>();
            try
            {
                await foreach (var key in server.KeysAsync(pattern: pattern, pageSize: Page).WithCancellation(cancellation)) found.Add(key);
            }
            catch (Exception e) when (e is RedisException or TimeoutException)
            {
                return false;
            }
            // One key at a time: a cluster of engines refuses keys of several slots.
            foreach (var some in found.Chunk(Page))
            {
                var deleted = await engine.WorkAsync(db => Task.WhenAll(some.Select(key => db.KeyDeleteAsync(key))), cancellation);
                if (!deleted.IsAnswered) return false;
            }
        }
        return true;
    }
}
