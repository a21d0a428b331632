using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>Which bodies are to go: those that agree in all that is not null. <c>new()</c> is all of them.</summary>
public sealed record Removal(string? Backend = null, Uid? Study = null, Uid? Series = null, Uid? Instance = null, BodyFormat? Format = null)
{
    public Removal(string backend, SeriesPath path) : this(backend, path.Study, path.Series)
    {
    }

    public Removal(string backend, InstancePath path) : this(backend, path.Study, path.Series, path.Instance)
    {
    }

    public bool Has(EntryKey key) =>
        (Backend is null || key.Backend == Backend) && (Format is null || key.Format == Format) && IsIn(Study, key.Study)
            && IsIn(Series, key.Series) && IsIn(Instance, key.Instance);

    private static bool IsIn(Uid? wanted, ReadOnlySpan<char> found) => wanted is not { } uid || found.SequenceEqual(uid.ToString());
}
