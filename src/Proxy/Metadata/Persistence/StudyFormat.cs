using System.Buffers.Binary;
using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Metadata.Persistence;

/// <summary>The key of a series' packed instances.</summary>
/// <param name="Backend">The number of the backend in the file.</param>
/// <param name="Series">The series instance UID.</param>
/// <param name="IsRows">True for search rows, false for metadata.</param>
internal readonly record struct PackedKey(int Backend, Uid Series, bool IsRows);

/// <summary>The file format of a study without the instances of its series, which it references by hash.</summary>
/// <remarks>
/// In the frame of <see cref="StoredWriter"/>. Backends are numbers here, which the file maps to identities.
/// <code>
/// study     number of owners · of each: UID of a series, backend
///           number of lists  · of each: backend, bytes: list
/// list      flags (1 study row, 2 asked, 4 unlisted, 8 study row made in client) · [dataset, time, number of fields, texts] · [time]
///           number of series · series …
/// series    UID · flags (1 summary, 2 metadata, 4 rows, 8 made in client, 16 count, 32 outdated,
///                        64 metadata's summary, 128 which equals the summary, 256 validators,
///                        512 only its metadata is made in client)
///           [dataset] · [hash (16), time] · [hash (16)] · [count] · [dataset] · [text, text]
/// dataset   bytes: JSON · number of attributes · of each: tag, start, length
///           number of links · of each: start, length × 2 + 1 for bulk data
/// </code>
/// </remarks>
internal static class StudyFormat
{
    /// <summary>The revision of this format; other revisions are a miss.</summary>
    public const byte Revision = 1;

    [Flags]
    private enum ListParts
    {
        StudyRow = 1,
        Asked = 2,
        Unlisted = 4,
        StudyRowMadeInClient = 8,
        All = 15,
    }

    [Flags]
    private enum SeriesParts
    {
        Summary = 1,
        Metadata = 2,
        Rows = 4,
        MadeInClient = 8,
        Count = 16,
        Outdated = 32,
        MetadataSummary = 64,
        MetadataSummaryIsSummary = 128,
        Validators = 256,
        MetadataMadeInClient = 512,
        All = 1023,
    }

    /// <summary>Encodes a study.</summary>
    /// <param name="study">The study.</param>
    /// <param name="idOf">The number of a backend; null for a backend whose data is not stored.</param>
    public static byte[] Write(Study study, Func<string, int?> idOf)
    {
        var writer = new StoredWriter(Revision, 4096);
        var owners = (from owner in study.Owners let id = idOf(owner.Value) where id is not null select (owner.Key, id.Value)).ToList();
        writer.WriteCount(owners.Count);
        foreach (var (series, id) in owners)
        {
            writer.WriteUid(series);
            writer.WriteCount(id);
        }
        var lists = (from list in study.SeriesLists.Values let id = idOf(list.Backend) where id is not null select (list, id.Value))
            .ToList();
        writer.WriteCount(lists.Count);
        foreach (var (list, id) in lists)
        {
            writer.WriteCount(id);
            Write(writer, list);
        }
        return writer.Seal();
    }

    /// <summary>The packed instances that a study references, with their keys.</summary>
    public static IEnumerable<(PackedKey Key, PackedInstances Packed)> GetPacked(Study study, Func<string, int?> idOf)
    {
        foreach (var list in study.SeriesLists.Values)
        {
            if (idOf(list.Backend) is not { } id) continue;
            foreach (var series in list.Series.Values)
            {
                if (series.Metadata is { } metadata) yield return (new(id, series.Uid, false), metadata);
                if (series.InstanceRows is { } rows) yield return (new(id, series.Uid, true), rows);
            }
        }
    }

    /// <summary>Decodes a study; null when the bytes are damaged, or of another revision.</summary>
    /// <param name="uid">Its UID.</param>
    /// <param name="stored">The bytes.</param>
    /// <param name="nameOf">The name of a backend by number; null when it is not configured, and its data is ignored.</param>
    /// <param name="packedOf">Finds packed instances; null when they are missing or damaged.</param>
    /// <param name="isWhole">
    /// False when a list was left out because instances of it are missing: a list is used as a whole or not at all.
    /// </param>
    public static Study? Read(
        Uid uid, ReadOnlySpan<byte> stored, Func<int, string?> nameOf, Func<PackedKey, PackedInstances?> packedOf, out bool isWhole)
    {
        isWhole = false;
        if (!StoredReader.TryOpen(stored, Revision, out var reader)) return null;
        var areWhole = true;
        var owners = ImmutableDictionary.CreateBuilder<Uid, string>();
        for (var count = reader.ReadCount(); count > 0; count--)
        {
            var series = reader.ReadUid();
            if (nameOf(reader.ReadNumber(int.MaxValue)) is { } owner) owners[series] = owner;
        }
        var study = new Study(uid);
        for (var count = reader.ReadCount(); count > 0; count--)
        {
            var id = reader.ReadNumber(int.MaxValue);
            var name = nameOf(id);
            var list = ReadList(ref reader, name ?? "", key => packedOf(key with { Backend = id }), hasPacked: name is not null);
            if (reader.IsDamaged) return null;
            if (name is not null && list is not null) study = study.With(list);
            else areWhole &= name is null;
        }
        if (!reader.IsComplete) return null;
        isWhole = areWhole;
        return study with { Owners = owners.ToImmutable() };
    }

    /// <summary>The last time at which a backend confirmed a part of a stored study; null when the bytes are damaged.</summary>
    public static DateTimeOffset? ReadLastConfirmation(ReadOnlySpan<byte> stored)
    {
        if (!StoredReader.TryOpen(stored, Revision, out var reader)) return null;
        for (var count = reader.ReadCount(); count > 0; count--)
        {
            reader.ReadUid();
            reader.ReadNumber(int.MaxValue);
        }
        DateTimeOffset last = default;
        for (var count = reader.ReadCount(); count > 0 && !reader.IsDamaged; count--)
        {
            reader.ReadNumber(int.MaxValue);
            var list = ReadList(ref reader, "", _ => null, hasPacked: false);
            if (list?.LastConfirmedAt > last) last = list.LastConfirmedAt;
        }
        return reader.IsDamaged ? null : last;
    }

    private static void Write(StoredWriter writer, SeriesList list)
    {
        writer.WriteNumber((ulong)((list.StudyRow is null ? 0 : ListParts.StudyRow)
            | (list.ListedAt is null ? 0 : ListParts.Asked)
            | (list.IsUnlisted ? ListParts.Unlisted : 0)
            | (list.StudyRowMadeInClient ? ListParts.StudyRowMadeInClient : 0)));
        if (list.StudyRow is { } row)
        {
            Write(writer, row);
            writer.WriteTime(list.StudyRowAsked);
            writer.WriteCount(list.StudyRowFields.Count);
            foreach (var field in list.StudyRowFields) writer.WriteText(field);
        }
        if (list.ListedAt is { } asked) writer.WriteTime(asked);
        writer.WriteCount(list.Series.Count);
        foreach (var series in list.Series.Values) Write(writer, series);
    }

    private static void Write(StoredWriter writer, Series series)
    {
        var isSummary = series.MetadataSummary is not null && AreEqual(series.MetadataSummary, series.Summary);
        var parts = (series.Summary is null ? 0 : SeriesParts.Summary)
            | (series.Metadata is null ? 0 : SeriesParts.Metadata)
            | (series.InstanceRows is null ? 0 : SeriesParts.Rows)
            | (series.MadeInClient ? SeriesParts.MadeInClient : series.MetadataMadeInClient ? SeriesParts.MetadataMadeInClient : 0)
            | (series.SummaryCount is null ? 0 : SeriesParts.Count)
            | (series.IsMetadataOutdated ? SeriesParts.Outdated : 0)
            | (isSummary ? SeriesParts.MetadataSummaryIsSummary : series.MetadataSummary is null ? 0 : SeriesParts.MetadataSummary)
            | (series.MetadataValidators is null ? 0 : SeriesParts.Validators);
        writer.WriteUid(series.Uid);
        writer.WriteNumber((ulong)parts);
        if (series.Summary is { } summary) Write(writer, summary);
        if (series.Metadata is { } metadata)
        {
            writer.WriteRaw(PackedFormat.GetHash(metadata));
            writer.WriteTime(series.MetadataConfirmedAt);
        }
        if (series.InstanceRows is { } rows) writer.WriteRaw(PackedFormat.GetHash(rows));
        // A backend may report any number, even a negative one.
        if (series.SummaryCount is { } count) writer.WriteNumber(unchecked((uint)count));
        if (parts.HasFlag(SeriesParts.MetadataSummary)) Write(writer, series.MetadataSummary!);
        if (series.MetadataValidators is { } validators)
        {
            writer.WriteText(validators.ETag);
            writer.WriteText(validators.LastModified);
        }
    }

    private static void Write(StoredWriter writer, Dataset dataset)
    {
        writer.WriteBytes(dataset.Json.Span);
        writer.WriteCount(dataset.Attributes.Length);
        foreach (var attribute in dataset.Attributes)
        {
            writer.WriteNumber(attribute.Tag.Value);
            writer.WriteCount(attribute.Start);
            writer.WriteCount(attribute.End - attribute.Start);
        }
        writer.WriteCount(dataset.Links.Length);
        foreach (var link in dataset.Links)
        {
            writer.WriteCount(link.Start);
            writer.WriteNumber((ulong)(link.End - link.Start) * 2 + (link.IsBulkData ? 1UL : 0));
        }
    }

    /// <summary>Null when referenced instances are missing; the reader continues after the list.</summary>
    private static SeriesList? ReadList(ref StoredReader reader, string backend, Func<PackedKey, PackedInstances?> packedOf, bool hasPacked)
    {
        var parts = (ListParts)reader.ReadNumber((int)ListParts.All);
        var list = new SeriesList(backend)
        {
            IsUnlisted = parts.HasFlag(ListParts.Unlisted),
            StudyRowMadeInClient = parts.HasFlag(ListParts.StudyRowMadeInClient),
        };
        if (parts.HasFlag(ListParts.StudyRow))
        {
            var (row, asked) = (ReadDataset(ref reader), reader.ReadTime());
            var fields = ImmutableSortedSet.CreateBuilder<string>();
            for (var count = reader.ReadCount(); count > 0; count--) fields.Add(reader.ReadText() ?? "");
            list = list with { StudyRow = row, StudyRowAsked = asked, StudyRowFields = fields.ToImmutable() };
        }
        if (parts.HasFlag(ListParts.Asked)) list = list with { ListedAt = reader.ReadTime() };
        var all = ImmutableDictionary.CreateBuilder<Uid, Series>();
        var isWhole = true;
        for (var count = reader.ReadCount(); count > 0 && !reader.IsDamaged; count--)
        {
            var series = ReadSeries(ref reader, packedOf, hasPacked, ref isWhole);
            all[series.Uid] = series;
        }
        return isWhole ? list with { Series = all.ToImmutable() } : null;
    }

    private static Series ReadSeries(ref StoredReader reader, Func<PackedKey, PackedInstances?> packedOf, bool hasPacked, ref bool isWhole)
    {
        var uid = reader.ReadUid();
        var parts = (SeriesParts)reader.ReadNumber((int)SeriesParts.All);
        var summary = parts.HasFlag(SeriesParts.Summary) ? ReadDataset(ref reader) : null;
        PackedInstances? metadata = null, rows = null;
        DateTimeOffset asked = default;
        if (parts.HasFlag(SeriesParts.Metadata))
        {
            metadata = ReadPacked(ref reader, new(0, uid, false), packedOf, hasPacked, ref isWhole);
            asked = reader.ReadTime();
        }
        if (parts.HasFlag(SeriesParts.Rows)) rows = ReadPacked(ref reader, new(0, uid, true), packedOf, hasPacked, ref isWhole);
        return new(uid)
        {
            Summary = summary,
            Metadata = metadata,
            MetadataConfirmedAt = asked,
            InstanceRows = rows,
            MadeInClient = parts.HasFlag(SeriesParts.MadeInClient),
            MetadataMadeInClient = (parts & (SeriesParts.MadeInClient | SeriesParts.MetadataMadeInClient)) != 0,
            SummaryCount = parts.HasFlag(SeriesParts.Count) ? unchecked((int)(uint)reader.ReadNumber()) : null,
            IsMetadataOutdated = parts.HasFlag(SeriesParts.Outdated),
            MetadataSummary = parts.HasFlag(SeriesParts.MetadataSummary) ? ReadDataset(ref reader)
                : parts.HasFlag(SeriesParts.MetadataSummaryIsSummary) ? summary
                : null,
            MetadataValidators = parts.HasFlag(SeriesParts.Validators) ? new(reader.ReadText(), reader.ReadText()) : null,
        };
    }

    private static PackedInstances? ReadPacked(
        ref StoredReader reader, PackedKey key, Func<PackedKey, PackedInstances?> packedOf, bool hasPacked, ref bool isWhole)
    {
        var hash = reader.ReadRaw(16);
        if (reader.IsDamaged || !hasPacked) return null;
        var packed = packedOf(key);
        if (packed is not null && packed.Hash == BinaryPrimitives.ReadUInt128LittleEndian(hash)) return packed;
        isWhole = false;
        return null;
    }

    private static Dataset? ReadDataset(ref StoredReader reader)
    {
        var json = reader.ReadBytes().ToArray();
        var attributes = ImmutableArray.CreateBuilder<Dataset.Attribute>();
        for (var count = reader.ReadCount(); count > 0; count--)
        {
            var tag = new Tag((uint)reader.ReadNumber());
            var start = reader.ReadNumber(json.Length);
            attributes.Add(new(tag, start, start + reader.ReadNumber(json.Length - start)));
        }
        var links = ImmutableArray.CreateBuilder<Dataset.Link>();
        for (var count = reader.ReadCount(); count > 0; count--)
        {
            var start = reader.ReadNumber(json.Length);
            var length = reader.ReadNumber();
            if (length / 2 > (ulong)(json.Length - start)) reader.Damage();
            else links.Add(new(start, start + (int)(length / 2), length % 2 == 1));
        }
        return reader.IsDamaged ? null : new(json, attributes.ToImmutable(), links.ToImmutable());
    }

    private static bool AreEqual(Dataset first, Dataset? second) =>
        ReferenceEquals(first, second) || (second is not null && first.Json.Span.SequenceEqual(second.Json.Span));
}
