using System.Buffers.Binary;
using Proxy.Dicom;

namespace Proxy.Backends.Queries;

/// <summary>One row of one backend: its UIDs, its merge and sort keys, and the position of its attributes.</summary>
public sealed class FoundRow
{
    /// <summary>The approximate memory of a row without its attributes, in bytes.</summary>
    public const int OwnBytes = 256;

    private readonly Dataset? _row;
    private readonly PackedRows? _packed;
    private readonly long _packedAt;

    private FoundRow(SearchQuery query, Uid uid, Uid study, Dataset row, PackedRows? packed, int position)
    {
        (Uid, Study, Position, _packed) = (uid, study, position, packed);
        if (packed is null) _row = row;
        else _packedAt = packed.Add(row);
        Order = RowOrder.Create(query.Level, row);
        if (query.Level == SearchLevel.Instances) Series = query.Series ?? row.FindUid(Tag.SeriesInstanceUid) ?? default;
        if (query.Level == SearchLevel.Series) Count = row.FindInt(Tag.NumberOfSeriesRelatedInstances) ?? 0;
    }

    /// <summary>The study, series or instance that the row describes.</summary>
    public Uid Uid { get; }

    /// <summary>The study of the row.</summary>
    public Uid Study { get; }

    /// <summary>The index in the backend's own list, from 0; 0 for a row that was not read from a list.</summary>
    public int Position { get; }

    /// <summary>The series of an instance row; the default value at other levels.</summary>
    public Uid Series { get; }

    /// <summary>The sort key.</summary>
    public RowOrder Order { get; }

    /// <summary>The number of instances that the backend has of a series; 0 at other levels.</summary>
    public int Count { get; }

    /// <summary>A row that keeps the dataset as it is; null when the row does not name its object.</summary>
    public static FoundRow? Find(SearchQuery query, Dataset row) =>
        Find(query, row, row.FindUid(Tag.StudyInstanceUid), packed: null, position: 0);

    /// <summary>Null when the row does not name its object.</summary>
    internal static FoundRow? Find(SearchQuery query, Dataset row, Uid? study, PackedRows? packed, int position)
    {
        if ((study ?? query.Study) is not { } studyUid) return null;
        var uid = query.Level == SearchLevel.Studies ? study : row.FindUid(query.Key);
        return uid is { } objectUid ? new(query, objectUid, studyUid, row, packed, position) : null;
    }

    /// <summary>The row with its attributes.</summary>
    public Dataset Read() => _row ?? _packed!.Read(_packedAt);
}

/// <summary>
/// The sort key of rows, before their UIDs: newest study first, then the lower number. PS3.18 §8.3.4.4 requires a stable order and
/// does not define it.
/// </summary>
/// <param name="Date">The eight characters of the study date as a number; 0 for none.</param>
/// <param name="Time">The first sixteen characters of the study time as a number; 0 for none.</param>
/// <param name="Number">The series or instance number; <see cref="int.MaxValue"/> for none.</param>
public readonly record struct RowOrder(ulong Date, UInt128 Time, int Number)
{
    /// <summary>Reads the sort key of a row.</summary>
    public static RowOrder Create(SearchLevel level, Dataset row) => level switch
    {
        SearchLevel.Studies => new(GetDate(row), GetTime(row), 0),
        SearchLevel.Series => new(GetDate(row), GetTime(row), row.FindInt(Tag.SeriesNumber) ?? int.MaxValue),
        _ => new(0, 0, row.FindInt(Tag.InstanceNumber) ?? int.MaxValue),
    };

    /// <summary>The same key with missing values from another key.</summary>
    public RowOrder FilledFrom(RowOrder other) =>
        new(Date == 0 ? other.Date : Date, Time == 0 ? other.Time : Time, Number == int.MaxValue ? other.Number : Number);

    private static ulong GetDate(Dataset row) => BinaryPrimitives.ReadUInt64BigEndian(Begin(row, Tag.StudyDate, stackalloc byte[8]));

    private static UInt128 GetTime(Dataset row) => BinaryPrimitives.ReadUInt128BigEndian(Begin(row, Tag.StudyTime, stackalloc byte[16]));

    private static Span<byte> Begin(Dataset row, Tag tag, Span<byte> room)
    {
        room.Clear();
        row.CopyFirst(tag, room);
        return room;
    }
}
