using Proxy.Dicom;

namespace Proxy.Wire.Part10;

/// <summary>The dataset of a Part 10 file in DICOM JSON, and the positions of the values that it only refers to.</summary>
/// <param name="TransferSyntaxUid">Transfer Syntax UID (0002,0010).</param>
/// <param name="Json">One object of PS3.18 §F.2 as the store holds it: UTF-8, in ascending order of tags.</param>
/// <param name="Bulk">The values that <paramref name="Json"/> names by a BulkDataURI, in the order of the file.</param>
public sealed record Part10Dataset(Uid TransferSyntaxUid, ReadOnlyMemory<byte> Json, IReadOnlyList<BulkValue> Bulk)
{
    /// <summary>The offset at which a deflated dataset begins in the file; null for a dataset that is not deflated.</summary>
    public long? DeflatedAt { get; init; }

    /// <summary>Study Instance UID (0020,000D); null when it is missing or not a UID.</summary>
    public Uid? StudyInstanceUid { get; init; }

    /// <summary>Series Instance UID (0020,000E); null when it is missing or not a UID.</summary>
    public Uid? SeriesInstanceUid { get; init; }

    /// <summary>SOP Instance UID (0008,0018); null when it is missing or not a UID.</summary>
    public Uid? SopInstanceUid { get; init; }

    /// <summary>The study, series and instance that the file names; null when one of them is missing.</summary>
    public InstancePath? Path =>
        StudyInstanceUid is { } study && SeriesInstanceUid is { } series && SopInstanceUid is { } instance
            ? new(study, series, instance)
            : null;

    /// <summary>True when a value is not in the file as it is sent: <see cref="Part10DatasetReader.Copy"/>.</summary>
    public bool MustCopy(BulkValue value) => DeflatedAt is not null || value.Unit > 1;
}

/// <summary>A value in a file that the dataset refers to instead of containing it.</summary>
/// <param name="Path">
/// The tags and item numbers, counted from 1, that lead to the attribute: <c>00291010</c>, or <c>00880200.1.7FE00010</c> for the pixel
/// data of the first item of a sequence.
/// </param>
/// <param name="Ranges">
/// The bytes of the value: one range, or the fragments of encapsulated pixel data without their heads and offset table (PS3.5 §A.4).
/// </param>
/// <param name="Unit">The number of bytes of one number, which a big endian file stores in reverse order.</param>
public sealed record BulkValue(string Path, IReadOnlyList<ByteRange> Ranges, int Unit)
{
    /// <summary>True for the fragments of encapsulated pixel data.</summary>
    public bool IsEncapsulated { get; init; }

    /// <summary>The length of the value, in bytes.</summary>
    public long Length => Ranges.Sum(range => range.Length);
}
