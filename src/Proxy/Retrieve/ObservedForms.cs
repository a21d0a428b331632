using System.Collections.Immutable;
using Proxy.Cache;
using Proxy.Dicom;

namespace Proxy.Retrieve;

/// <summary>Remembers the forms that a backend gave for a series: the stored form, and its choice among several acceptable forms.</summary>
/// <remarks>
/// A repeated request then gets the same form from the cache as from the backend, and the next frame of a series is requested
/// directly in an available form. This is only a hint: when it was evicted or is outdated, the backend is asked again.
/// </remarks>
public sealed class ObservedForms(AnswerCache cache)
{
    /// <summary>Short, because a backend's failure to transcode may be temporary, and its configuration may change.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    private const int MaxForms = 4, BytesPerEntry = 400;

    private readonly Answers<Key, Forms> _forms = cache.For<Key, Forms>();
    private readonly Answers<StoredKey, Stored> _stored = cache.For<StoredKey, Stored>();
    private readonly Answers<NoSeriesKey, NoSeriesKey> _refusals = cache.For<NoSeriesKey, NoSeriesKey>();
    private readonly Answers<NoStudiesKey, NoStudiesKey> _studyRefusals = cache.For<NoStudiesKey, NoStudiesKey>();

    /// <summary>What an observation is about.</summary>
    /// <param name="Backend">The backend's name.</param>
    /// <param name="Series">The series.</param>
    /// <param name="Accepted">The name of the negotiation.</param>
    private sealed record Key(string Backend, SeriesPath Series, string Accepted);

    private sealed record StoredKey(string Backend, SeriesPath Series);

    private sealed record NoSeriesKey(string Backend, SeriesPath? Series);

    private sealed record NoStudiesKey(string Backend);

    private sealed record Forms(ImmutableArray<BodyFormat> Formats);

    private sealed record Stored(string TransferSyntax);

    /// <summary>The forms that the backend gave for this negotiation, newest first, as in their cache keys.</summary>
    public ImmutableArray<BodyFormat> Find(string backend, SeriesPath series, Negotiation negotiation) =>
        negotiation.Formats.Length > 1 && _forms.TryFind(new Key(backend, series, negotiation.Name), out var forms)
            ? forms.Formats
            : [];

    /// <summary>The transfer syntax that the series is stored in, as seen in one of its objects; null when it is not known.</summary>
    public string? FindStored(string backend, SeriesPath series) =>
        _stored.TryFind(new StoredKey(backend, series), out var stored) ? stored.TransferSyntax : null;

    /// <summary>Remembers the form that a backend gave.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="series">The series of the object.</param>
    /// <param name="negotiation">The acceptable forms.</param>
    /// <param name="asked">The requested form; null when the request listed several.</param>
    /// <param name="head">The head of the received body.</param>
    public void Remember(string backend, SeriesPath series, Negotiation negotiation, BodyFormat? asked, EntryHead head)
    {
        if (head.TransferSyntax is not { } syntax) return;
        if (asked?.TransferSyntax == BodyFormat.Any) RememberStored(backend, series, head);
        if (negotiation.Formats.Length == 1) return;
        var (given, known) = (new BodyFormat(head.MediaType, syntax).Canonical, Find(backend, series, negotiation));
        if (known is [var newest, ..] && newest == given) return;
        _forms.Add(
            new Key(backend, series, negotiation.Name), new Forms([given, .. known.Where(k => k != given).Take(MaxForms - 1)]),
            BytesPerEntry, Lifetime);
    }

    /// <summary>Remembers the transfer syntax of a body in its stored form.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="series">The series of the object.</param>
    /// <param name="head">The head of the body.</param>
    /// <returns>The transfer syntax; null when the body does not name it.</returns>
    public string? RememberStored(string backend, SeriesPath series, EntryHead head)
    {
        if (head.TransferSyntax is { } syntax && FindStored(backend, series) != syntax)
            _stored.Add(new StoredKey(backend, series), new Stored(syntax), BytesPerEntry, Lifetime);
        return head.TransferSyntax;
    }

    /// <summary>True when a request for the whole series failed in the last ten minutes, or the backend refuses such requests.</summary>
    public bool RefusesSeries(string backend, SeriesPath series) =>
        _refusals.TryFind(new NoSeriesKey(backend, null), out _)
            || _refusals.TryFind(new NoSeriesKey(backend, series), out _);

    /// <summary>True when the backend did not give a whole study in one answer in the last ten minutes.</summary>
    public bool RefusesStudies(string backend) => _studyRefusals.TryFind(new NoStudiesKey(backend), out _);

    /// <summary>Remembers that the backend did not give all instances of a study in one answer.</summary>
    public void RememberStudyRefusal(string backend)
    {
        var key = new NoStudiesKey(backend);
        _studyRefusals.Add(key, key, BytesPerEntry, Lifetime);
    }

    /// <summary>Remembers that the backend gives instances, but not a whole series in one answer.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="series">The series whose answer failed; null when the backend refuses every series.</param>
    public void RememberRefusal(string backend, SeriesPath? series = null)
    {
        var key = new NoSeriesKey(backend, series);
        _refusals.Add(key, key, BytesPerEntry, Lifetime);
    }
}
