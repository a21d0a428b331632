namespace Proxy.Cache.OnDisk;

/// <summary>What the index knows.</summary>
internal sealed partial class DiskIndex
{
    /// <summary>The folders of the least valuable series.</summary>
    public IReadOnlyList<string> LeastValuable(int count) =>
        ReadFolders("SELECT folder FROM series ORDER BY used + min(uses, 8) * 86400000 LIMIT $1", count);

    /// <summary>The folders of the least valuable series that were used, but not within this time; excludes one folder.</summary>
    public IReadOnlyList<string> LeastValuableIdle(TimeSpan time, string except, int count) => ReadFolders(
        "SELECT folder FROM series WHERE uses > 0 AND used < $1 AND folder <> $2 ORDER BY used + min(uses, 8) * 86400000 LIMIT $3",
        Clock - (long)time.TotalMilliseconds, except, count);

    /// <summary>The bytes of series that were used, but not within this time. From any thread.</summary>
    public long IdleBytes(TimeSpan time)
    {
        var since = Clock - (long)time.TotalMilliseconds;
        return _file.Read(s => s.Number("SELECT sum(bytes) FROM series WHERE uses > 0 AND used < $1", since), 0L);
    }

    /// <summary>The folders of a study, of all backends.</summary>
    public IReadOnlyList<string> GetFoldersOfStudy(string study) =>
        ReadFolders("SELECT folder FROM series WHERE study = $1", folder.Seal.Seal(study));

    /// <summary>The folders that follow one in order.</summary>
    public IReadOnlyList<string> GetFoldersAfter(string seriesFolder, int count) =>
        ReadFolders("SELECT folder FROM series WHERE folder > $1 ORDER BY folder LIMIT $2", seriesFolder, count);

    /// <summary>The disk usage of each backend with entries.</summary>
    public IReadOnlyList<DiskShare> Shares =>
        ReadShares("SELECT backend, sum(entries), sum(bytes), min(oldest) FROM series GROUP BY backend");

    /// <summary>The disk usage of one study, by backend; without additions of the last seconds. From any thread.</summary>
    public IReadOnlyList<DiskShare> GetSharesOfStudy(string study) => ReadShares(
        "SELECT backend, sum(entries), sum(bytes), min(oldest) FROM series WHERE study = $1 GROUP BY backend", folder.Seal.Seal(study));

    /// <summary>The studies with entries; without additions of the last seconds. From any thread.</summary>
    public IReadOnlyList<string> Studies => _file.Read<IReadOnlyList<string>>(
        s =>
        {
            var studies = new List<string>();
            using var rows = s.Prepare("SELECT DISTINCT study FROM series").ExecuteReader();
            while (rows.Read())
            {
                if (folder.Seal.Open(rows.GetString(0)) is { } study) studies.Add(study);
            }
            return studies;
        },
        []);

    /// <summary>The folders whose oldest entry is from before a time.</summary>
    public IReadOnlyList<string> GetFoldersOlder(DateTimeOffset before, int count) =>
        ReadFolders("SELECT folder FROM series WHERE oldest < $1 LIMIT $2", before.ToUnixTimeMilliseconds(), count);

    /// <summary>The folders of a backend.</summary>
    public IReadOnlyList<string> GetFoldersOfBackend(string backend) =>
        ReadFolders("SELECT folder FROM series WHERE backend = $1", backend);

    private IReadOnlyList<DiskShare> ReadShares(string sql, params ReadOnlySpan<object?> values)
    {
        var parameters = values.ToArray();
        return _file.Read<IReadOnlyList<DiskShare>>(
            s =>
            {
                var shares = new List<DiskShare>();
                using var rows = s.Prepare(sql, parameters).ExecuteReader();
                while (rows.Read())
                {
                    shares.Add(new(
                        rows.GetString(0), rows.GetInt64(1), rows.GetInt64(2), DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(3))));
                }
                return shares;
            },
            []);
    }

    private IReadOnlyList<string> ReadFolders(string sql, params ReadOnlySpan<object?> values)
    {
        Flush();
        var parameters = values.ToArray();
        return _file.Read<IReadOnlyList<string>>(
            s =>
            {
                var folders = new List<string>();
                using var rows = s.Prepare(sql, parameters).ExecuteReader();
                while (rows.Read()) folders.Add(rows.GetString(0));
                return folders;
            },
            []);
    }
}
