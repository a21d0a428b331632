using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Tests.Wire;

namespace Proxy.Tests.Metadata;

/// <summary>Generates random studies with all kinds of content from a seed, and describes a study as text for comparison.</summary>
internal static class RandomStudies
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 4, 12, 0, 0, TimeSpan.Zero);

    public static Study Make(int seed, string uid = "1.2")
    {
        var random = new Random(seed);
        var study = new Study(Uid.Parse(uid));
        foreach (var backend in (string[])["east", "north", "west"])
        {
            if (random.Next(3) > 0) study = study.With(List(random, backend));
        }
        for (var i = random.Next(4); i > 0; i--)
            study = study with { Owners = study.Owners.SetItem(SeriesUid(random), random.Next(2) == 0 ? "east" : "west") };
        return study;
    }

    public static PackedInstances Packed(Random random)
    {
        var builder = new PackedInstances.Builder();
        for (var i = random.Next(6); i > 0; i--)
        {
            var json = new byte[random.Next(8) == 0 ? random.Next(200_000) : random.Next(300)];
            random.NextBytes(json);
            builder.Add(Uid.Parse(string.Create(CultureInfo.InvariantCulture, $"1.2.{random.Next()}.{i}")), json);
        }
        return builder.Build();
    }

    public static string Describe(Study study)
    {
        var text = new StringBuilder();
        text.AppendJoin(' ', study.Owners.OrderBy(o => o.Key).Select(o => $"{o.Key}={o.Value}")).AppendLine();
        foreach (var list in study.SeriesLists.Values)
        {
            var fields = string.Join('|', list.StudyRowFields.Order(StringComparer.Ordinal));
            text.Append(
                CultureInfo.InvariantCulture,
                $"{list.Backend} {list.ListedAt:O} {list.IsUnlisted} row {Describe(list.StudyRow)} {list.StudyRowAsked:O} {fields}\n");
            foreach (var s in list.Series.Values.OrderBy(s => s.Uid))
            {
                text.Append(
                    CultureInfo.InvariantCulture,
                    $" {s.Uid} {Describe(s.Summary)} {s.SummaryCount} {s.MadeInClient} {s.MetadataMadeInClient}");
                text.Append(
                    CultureInfo.InvariantCulture, $" {s.IsMetadataOutdated} {s.MetadataConfirmedAt:O} {s.MetadataValidators}\n");
                text.Append(
                    CultureInfo.InvariantCulture,
                    $"  as asked {Describe(s.MetadataSummary)}\n  metadata {Describe(s.Metadata)}\n  rows {Describe(s.InstanceRows)}\n");
            }
        }
        return text.ToString();
    }

    public static string Describe(PackedInstances? packed) =>
        packed is null
            ? "none"
            : $"{packed.Hash} {packed.TextBytes} "
                + string.Join(
                    ' ',
                    packed.Uids.Select(uid => $"{uid}:{Convert.ToHexString(SHA256.HashData(packed.FindJson(uid)!.Value.Span))}"));

    private static string Describe(Dataset? dataset) =>
        dataset is null
            ? "none"
            : Encoding.UTF8.GetString(dataset.Json.Span) + string.Join(' ', dataset.Attributes) + string.Join(' ', dataset.Links);

    private static SeriesList List(Random random, string backend)
    {
        var list = new SeriesList(backend) { IsUnlisted = random.Next(4) == 0, ListedAt = random.Next(3) == 0 ? null : Time(random) };
        if (random.Next(2) == 0)
            list = list with
            {
                StudyRow = Row(random),
                StudyRowMadeInClient = random.Next(3) == 0,
                StudyRowAsked = Time(random),
                StudyRowFields = [
                .. Enumerable.Range(0, random.Next(4)).Select(i => $"0008{i:0000}.0040A730{(char)('é' + i)}")]
            };
        for (var i = random.Next(5); i > 0; i--) list = list.With(GetSeries(random));
        return list;
    }

    private static Series GetSeries(Random random)
    {
        var summary = random.Next(3) == 0 ? null : Row(random);
        var metadata = random.Next(2) == 0 ? null : Packed(random);
        var madeInClient = random.Next(2) == 0;
        return new Series(SeriesUid(random))
        {
            Summary = summary,
            SummaryCount = random.Next(3) switch { 0 => null, 1 => random.Next(1000), _ => random.Next(int.MinValue, int.MaxValue) },
            Metadata = metadata,
            MetadataConfirmedAt = metadata is null ? default : Time(random),
            MetadataValidators = random.Next(3) switch
            {
                0 => null,
                1 => new("\"é\"", null),
                _ => new(
                null, "Wed, 21 Oct 2015 07:28:00 GMT")
            },
            MetadataSummary = random.Next(3) switch { 0 => null, 1 => summary, _ => Row(random) },
            InstanceRows = random.Next(3) == 0 ? Packed(random) : null,
            MadeInClient = madeInClient,
            MetadataMadeInClient = madeInClient || random.Next(2) == 0,
            IsMetadataOutdated = random.Next(2) == 0,
        };
    }

    private static Dataset Row(Random random)
    {
        // With links, which DicomJsonReader finds.
        var datasets = Answers.ReadAsync(RandomDatasets.Answer(random.Next(), 1)).GetAwaiter().GetResult();
        return datasets.Count > 0 ? datasets[0] : Answers.Dataset("{}");
    }

    private static Uid SeriesUid(Random random) => Uid.Parse(string.Create(CultureInfo.InvariantCulture, $"1.2.{random.Next(6)}"));

    private static DateTimeOffset Time(Random random) =>
        random.Next(8) switch
        {
            0 => DateTimeOffset.MinValue,
            1 => DateTimeOffset.MaxValue,
            _ => Noon.AddTicks(
            random.NextInt64(-TimeSpan.TicksPerDay, TimeSpan.TicksPerDay))
        };
}
