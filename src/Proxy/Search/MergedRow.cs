using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Search;

/// <summary>One backend's row of one object.</summary>
/// <param name="Backend">The backend's name.</param>
/// <param name="Row">The attributes.</param>
public readonly record struct SourceRow(string Backend, Dataset Row);

/// <summary>One study, series or instance as the client sees it, merged from the rows of all backends that have it.</summary>
/// <param name="Uid">The study, series or instance.</param>
/// <param name="Sources">The rows of the backends, preferred first.</param>
/// <param name="Changes">The value objects that replace or extend the preferred row; null removes an attribute.</param>
public sealed record MergedRow(Uid Uid, ImmutableArray<SourceRow> Sources, ImmutableDictionary<Tag, byte[]?> Changes)
{
    private static readonly string[] Availabilities = ["ONLINE", "NEARLINE", "OFFLINE", "UNAVAILABLE"];

    /// <summary>The attributes that identify a patient.</summary>
    private static readonly ImmutableArray<Tag> Identity = [Tag.PatientId, Tag.PatientName, Tag.PatientBirthDate];

    /// <summary>The row of the preferred backend.</summary>
    public Dataset Dataset => Sources[0].Row;

    /// <summary>
    /// Merges the rows of one object, preferred first: its values take precedence, but an empty value never replaces a value of another
    /// row; modalities are the union, and the availability is the best.
    /// </summary>
    /// <param name="uid">The study, series or instance.</param>
    /// <param name="sources">The rows of the backends, preferred first.</param>
    /// <param name="path">The object's path below the root that the client uses.</param>
    public static MergedRow Merge(Uid uid, ImmutableArray<SourceRow> sources, string path)
    {
        var preferred = sources[0].Row;
        var changes = ImmutableDictionary.CreateBuilder<Tag, byte[]?>();
        changes[Tag.RetrieveUrl] = Encoding.UTF8.GetBytes($"{{\"vr\":\"UR\",\"Value\":[\"\uFFFF/{path}\"]}}");
        if (sources.Length == 1) return new(uid, sources, changes.ToImmutable());
        foreach (var (_, other) in sources.Skip(1))
        {
            foreach (var attribute in other.Attributes)
            {
                if (changes.ContainsKey(attribute.Tag) || IsFilled(preferred.FindAttribute(attribute.Tag))
                    || !IsFilled(other.FindAttribute(attribute.Tag)))
                    continue;
                changes[attribute.Tag] = other.FindAttribute(attribute.Tag).ToArray();
            }
        }
        SetUnion(changes, Tag.ModalitiesInStudy, "CS", sources.SelectMany(s => s.Row.FindStrings(Tag.ModalitiesInStudy)));
        var best = sources.Select(s => Array.IndexOf(Availabilities, s.Row.FindString(Tag.InstanceAvailability))).Where(i => i >= 0)
            .DefaultIfEmpty(-1).Min();
        if (best >= 0) changes[Tag.InstanceAvailability] = Value("CS", Availabilities[best]);
        return new(uid, sources, changes.ToImmutable());
    }

    /// <summary>The first backend that assigns the study to another patient than the preferred backend; null when none does.</summary>
    public string? FindIdentityConflict()
    {
        foreach (var tag in Identity)
        {
            var preferred = Normal(Dataset.FindString(tag));
            foreach (var (backend, row) in Sources.AsSpan()[1..])
            {
                if (preferred.Length > 0 && Normal(row.FindString(tag)) is { Length: > 0 } other && other != preferred) return backend;
            }
        }
        return null;

        // A name's trailing delimiters only mark empty components (PS3.5 §6.2.1).
        static string Normal(string? value) => value?.TrimEnd('^', ' ').ToUpperInvariant() ?? "";
    }

    /// <summary>The first value as the client sees it: the merged value, else the preferred backend's.</summary>
    public string? FindString(Tag tag) =>
        Changes.TryGetValue(tag, out var change) ? Dataset.ReadStrings(change).FirstOrDefault(v => v is not null) : Dataset.FindString(tag);

    /// <summary>The first value as an integer, or null.</summary>
    public int? FindInt(Tag tag) =>
        int.TryParse(FindString(tag), NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) ? value : null;

    private MergedRow With(Tag tag, byte[] value) => this with { Changes = Changes.SetItem(tag, value) };

    /// <summary>The same row without these attributes, for attributes that only the proxy requested.</summary>
    public MergedRow Without(IEnumerable<Tag> tags) =>
        this with
        {
            Changes = Changes.SetItems(
                tags.Where(Dataset.Has).Concat(tags.Where(Changes.ContainsKey)).Distinct()
                    .Select(tag => KeyValuePair.Create(tag, default(byte[])))),
        };

    /// <summary>The same row with an empty value for each of these attributes that it lacks (PS3.18 §F.2.5).</summary>
    public MergedRow WithEmpty(IEnumerable<(Tag Tag, string Vr)> required) =>
        this with
        {
            Changes = Changes.AddRange(
                required.Where(field => !Dataset.Has(field.Tag) && !Changes.ContainsKey(field.Tag))
                    .Select(field => KeyValuePair.Create(field.Tag, (byte[]?)Value(field.Vr)))),
        };

    /// <summary>The same row with the numbers of series and instances of a study.</summary>
    public MergedRow WithCounts(int series, int instances) =>
        With(Tag.NumberOfStudyRelatedSeries, Number(series)).With(Tag.NumberOfStudyRelatedInstances, Number(instances));

    private static byte[] Number(int value) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"vr\":\"IS\",\"Value\":[{value}]}}"));

    private static byte[] Value(string vr, params IEnumerable<string> values) =>
        Encoding.UTF8.GetBytes(
            values.Any()
                ? $"{{\"vr\":\"{vr}\",\"Value\":[{string.Join(',', values.Select(v => $"\"{JavaScriptEncoder.Default.Encode(v)}\""))}]}}"
                : $"{{\"vr\":\"{vr}\"}}");

    private static void SetUnion(ImmutableDictionary<Tag, byte[]?>.Builder changes, Tag tag, string vr, IEnumerable<string?> values)
    {
        var union = values.OfType<string>().Where(v => v.Length > 0).Distinct().ToList();
        if (union.Count > 0) changes[tag] = Value(vr, union);
    }

    /// <summary>True when an attribute has a value: not null, an empty text, or a list or object of these.</summary>
    private static bool IsFilled(ReadOnlySpan<byte> attribute)
    {
        if (attribute.IsEmpty) return false;
        var reader = new Utf8JsonReader(attribute, Dataset.ReaderOptions);
        var isValue = false;
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1) isValue = !reader.ValueTextEquals("vr"u8);
            else if (isValue
                && (reader.TokenType is JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False
                    || reader.TokenType == JsonTokenType.String && !reader.ValueSpan.IsEmpty)) return true;
        }
        return false;
    }
}
