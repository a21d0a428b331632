namespace Proxy.Demo;

/// <summary>What one demo PACS holds: the studies of its archive and, until it stops, the files that clients stored.</summary>
/// <param name="archive">The generated studies.</param>
internal sealed class DemoHolding(DemoArchive archive)
{
    /// <summary>The limit of stored files, in bytes: they are held in memory.</summary>
    public const long MaxBytes = 256L << 20;

    private readonly Lock _lock = new();
    private volatile IReadOnlyList<DemoStudy> _studies = archive.Studies;
    private long _bytes;

    /// <summary>The studies: the generated ones, then those that clients stored.</summary>
    public IReadOnlyList<DemoStudy> Studies => _studies;

    /// <summary>The study with a UID; null if the PACS does not hold it.</summary>
    public DemoStudy? Find(string studyInstanceUid) => _studies.FirstOrDefault(s => s.StudyInstanceUid == studyInstanceUid);

    /// <summary>Adds a file, unless its instance exists; false when there is no room for it.</summary>
    public bool TryAdd(DemoFile file)
    {
        lock (_lock)
        {
            var study = Find(file.Study.StudyInstanceUid);
            var series = study?.Find(file.Series.SeriesInstanceUid);
            if (series?.Find(file.Instance.SopInstanceUid) is not null) return true;
            if (_bytes + file.Bytes.Length > MaxBytes) return false;
            _bytes += file.Bytes.Length;
            var whole = series is null ? file.Series : series with { Instances = series.Instances.Add(file.Instance) };
            var changed = study is null ? file.Study
                : study with { Series = series is null ? study.Series.Add(whole) : study.Series.Replace(series, whole) };
            _studies = study is null ? [.. _studies, changed] : [.. _studies.Select(s => s == study ? changed : s)];
            return true;
        }
    }
}
