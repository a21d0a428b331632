using System.Collections.Immutable;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;

namespace Proxy.Retrieve;

/// <summary>Remembers what a backend gave of a series: its stored form, and what it chose among several acceptable forms.</summary>
/// <remarks>
/// With it a repeated request gets the same form from the cache as from the backend, and the next frame of a series is asked for
/// at once in the form that can be had. It is a hint: when it was evicted or is outdated, the backend is asked again.
/// </remarks>
public sealed class GivenForms(MemoryTier memory)
{
    /// <summary>A backend may learn to transcode, or may have failed to only for a while.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    private const int Most = 4, BytesPerEntry = 400;

    /// <param name="Accepted">The name of the negotiation.</param>
    private sealed record Key(string Backend, SeriesPath Series, string Accepted);

    private sealed record StoredKey(string Backend, SeriesPath Series);

    private sealed record NoSeriesKey(string Backend, SeriesPath? Series);

    private sealed record Forms(ImmutableArray<BodyFormat> Formats);

    private sealed record Stored(string TransferSyntax);

    /// <summary>What the backend gave to this negotiation, the newest first; each as it is kept.</summary>
    public ImmutableArray<BodyFormat> Find(string backend, SeriesPath series, Negotiation negotiation) =>
        negotiation.Formats.Length > 1 && memory.TryFind<Forms>(new Key(backend, series, negotiation.Name), out var forms)
            ? forms.Formats
            : [];

    /// <summary>The transfer syntax that the series is stored in, as far as one of its objects showed it.</summary>
    public string? FindStored(string backend, SeriesPath series) =>
        memory.TryFind<Stored>(new StoredKey(backend, series), out var stored) ? stored.TransferSyntax : null;

    /// <summary>Notes what a backend gave.</summary>
    /// <param name="backend">Its name.</param>
    /// <param name="series">The series of the object.</param>
    /// <param name="negotiation">What was acceptable.</param>
    /// <param name="asked">The one form that was asked for; null when several were.</param>
    /// <param name="head">Of the body.</param>
    public void Note(string backend, SeriesPath series, Negotiation negotiation, BodyFormat? asked, EntryHead head)
    {
        if (head.TransferSyntax is not { } syntax) return;
        if (asked?.TransferSyntax == BodyFormat.Any && FindStored(backend, series) != syntax)
            memory.Add(new StoredKey(backend, series), new Stored(syntax), BytesPerEntry, Lifetime);
        if (negotiation.Formats.Length == 1) return;
        var (given, known) = (new BodyFormat(head.MediaType, syntax).Canonical, Find(backend, series, negotiation));
        if (known is [var newest, ..] && newest == given) return;
        memory.Add(
            new Key(backend, series, negotiation.Name), new Forms([given, .. known.Where(k => k != given).Take(Most - 1)]), BytesPerEntry,
            Lifetime);
    }

    /// <summary>True when a request for the whole series failed in the last ten minutes, or the backend refuses such requests.</summary>
    public bool RefusesSeries(string backend, SeriesPath series) =>
        memory.TryFind<NoSeriesKey>(new NoSeriesKey(backend, null), out _)
            || memory.TryFind<NoSeriesKey>(new NoSeriesKey(backend, series), out _);

    /// <summary>Notes that the backend gives instances, but not a whole series in one answer.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="series">The series whose answer failed; null when the backend refuses every series.</param>
    public void NoteRefusesSeries(string backend, SeriesPath? series = null)
    {
        var key = new NoSeriesKey(backend, series);
        memory.Add(key, key, BytesPerEntry, Lifetime);
    }
}
