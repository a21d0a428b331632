using System.Buffers.Binary;
using Proxy.Dicom;

namespace Proxy.Search;

/// <summary>One row of one backend: what it is about, what it is merged and ordered by, and where the rest of it is.</summary>
public sealed class FoundRow
{
    /// <summary>Bytes of memory that a row holds besides its attributes, nearly.</summary>
    public const int OwnBytes = 256;

    private readonly Dataset? _row;
    private readonly PackedRows? _packed;
    private readonly long _place;

    private FoundRow(SearchQuery query, Uid uid, Uid study, Dataset row, PackedRows? packed, int position)
    {
        (Uid, Study, Position, _packed) = (uid, study, position, packed);
        if (packed is null) _row = row;
        else _place = packed.Add(row);
        Order = RowOrder.Create(query.Level, row);
        if (query.Level == SearchLevel.Instances) Series = query.Series ?? row.FindUid(Tag.SeriesInstanceUid) ?? default;
        if (query.Level == SearchLevel.Series) Count = row.FindInt(Tag.NumberOfSeriesRelatedInstances) ?? 0;
    }

    public Uid Uid { get; }

    public Uid Study { get; }

    /// <summary>Its place in the backend's own list, from 0; 0 for a row that was not read from a list.</summary>
    public int Position { get; }

    /// <summary>An instance's series.</summary>
    public Uid Series { get; }

    public RowOrder Order { get; }

    /// <summary>How many instances the backend has of a series.</summary>
    public int Count { get; }

    /// <summary>A row that is held as it is.</summary>
    public static FoundRow? Find(SearchQuery query, Dataset row) =>
        Find(query, row, row.FindUid(Tag.StudyInstanceUid), packed: null, position: 0);

    /// <summary>Null when the row does not say what it is about.</summary>
    internal static FoundRow? Find(SearchQuery query, Dataset row, Uid? study, PackedRows? packed, int position)
    {
        if ((study ?? query.Study) is not { } of) return null;
        var uid = query.Level == SearchLevel.Studies ? study : row.FindUid(query.Key);
        return uid is { } about ? new(query, about, of, row, packed, position) : null;
    }

    public Dataset Read() => _row ?? _packed!.Read(_place);
}

/// <summary>
/// What rows are ordered by before their UIDs: the newest study first, then the lower number (PS3.18 §8.3.4.4 asks for one order, not for
/// which).
/// </summary>
/// <param name="Date">The eight characters of the study's date as they are ordered; 0 for none.</param>
/// <param name="Time">The first sixteen characters of the study's time as they are ordered; 0 for none.</param>
/// <param name="Number">The series' or the instance's number; the largest there is for none.</param>
public readonly record struct RowOrder(ulong Date, UInt128 Time, int Number)
{
    public static RowOrder Create(SearchLevel level, Dataset row) => level switch
    {
        SearchLevel.Studies => new(GetDate(row), GetTime(row), 0),
        SearchLevel.Series => new(GetDate(row), GetTime(row), row.FindInt(Tag.SeriesNumber) ?? int.MaxValue),
        _ => new(0, 0, row.FindInt(Tag.InstanceNumber) ?? int.MaxValue),
    };

    /// <summary>The same, filled up: an empty value never beats a filled one.</summary>
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
