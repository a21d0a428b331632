using System.Buffers.Binary;
using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Metadata.Persistence;

/// <summary>The file format of <see cref="PackedInstances"/>: its compressed blocks, and its index.</summary>
/// <remarks>
/// In the frame of <see cref="StoredWriter"/>:
/// <code>
/// hash (16, little endian)
/// number of instances · of each: bytes of its UID (1) · all UIDs, ASCII · of each: bytes of its dataset
/// number of blocks    · of each: bytes of text · bytes: Brotli
/// </code>
/// A comma separates two datasets; it belongs to the block of the second.
/// </remarks>
internal static class PackedFormat
{
    /// <summary>The revision of this format; other revisions are a miss.</summary>
    public const byte Revision = 1;

    /// <summary>Encodes packed instances.</summary>
    public static byte[] Write(PackedInstances packed)
    {
        var (uids, uidEnds, datasetEnds) = packed.Index;
        var writer = new StoredWriter(Revision, packed.PackedBytes);
        writer.WriteRaw(GetHash(packed));
        writer.WriteCount(packed.Count);
        for (var i = 0; i < uidEnds.Length; i++) writer.WriteRaw([(byte)(uidEnds[i] - (i == 0 ? 0 : uidEnds[i - 1]))]);
        writer.WriteRaw(uids);
        for (var i = 0; i < datasetEnds.Length; i++) writer.WriteCount(datasetEnds[i] - (i == 0 ? 0 : datasetEnds[i - 1] + 1));
        writer.WriteCount(packed.Blocks.Length);
        foreach (var block in packed.Blocks)
        {
            writer.WriteCount(block.Length);
            writer.WriteBytes(block.Packed);
        }
        return writer.Seal();
    }

    /// <summary>Decodes packed instances; null when the bytes are damaged, or of another revision.</summary>
    public static PackedInstances? Read(ReadOnlySpan<byte> stored)
    {
        if (!StoredReader.TryOpen(stored, Revision, out var reader)) return null;
        var hash = reader.ReadRaw(16);
        var count = reader.ReadCount();
        var uidLengths = reader.ReadRaw(count);
        if (reader.IsDamaged) return null;
        var uidEnds = new int[count];
        var end = 0;
        for (var i = 0; i < count; i++) uidEnds[i] = end += uidLengths[i];
        var uids = reader.ReadRaw(end);
        if (reader.IsDamaged) return null;
        for (var i = 0; i < count; i++)
        {
            if (!Uid.IsUid(uids[(i == 0 ? 0 : uidEnds[i - 1])..uidEnds[i]])) return null;
        }
        var datasetEnds = new int[count];
        for (var i = 0; i < count; i++)
        {
            var start = i == 0 ? 0 : datasetEnds[i - 1] + 1L;
            var length = reader.ReadNumber(int.MaxValue);
            if (reader.IsDamaged || start + length > int.MaxValue) return null;
            datasetEnds[i] = (int)start + length;
        }
        return ReadBlocks(ref reader, datasetEnds) is { } blocks && reader.IsComplete
            ? new(blocks, uids.ToArray(), uidEnds, datasetEnds, BinaryPrimitives.ReadUInt128LittleEndian(hash))
            : null;
    }

    /// <summary>The hash as bytes.</summary>
    public static byte[] GetHash(PackedInstances packed)
    {
        var hash = new byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(hash, packed.Hash);
        return hash;
    }

    /// <summary>Each block must end at the end of a dataset, and the last block at the end of the last dataset.</summary>
    private static ImmutableArray<PackedInstances.Block>? ReadBlocks(ref StoredReader reader, int[] datasetEnds)
    {
        var blocks = ImmutableArray.CreateBuilder<PackedInstances.Block>();
        int first = 0, start = 0;
        for (var count = reader.ReadCount(); count > 0; count--)
        {
            var length = reader.ReadNumber(int.MaxValue - start);
            var bytes = reader.ReadBytes();
            var last = Array.BinarySearch(datasetEnds, first, datasetEnds.Length - first, start + length);
            if (reader.IsDamaged || last < 0) return null;
            blocks.Add(new(first, start, length, bytes.ToArray()));
            start += length;
            first = last + 1;
        }
        return first == datasetEnds.Length ? blocks.ToImmutable() : null;
    }
}
