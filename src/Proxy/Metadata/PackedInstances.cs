using System.Buffers;
using System.Collections.Immutable;
using System.IO.Compression;
using System.IO.Hashing;
using System.Numerics;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>The datasets of a series' instances, compressed, with an index by SOP Instance UID.</summary>
/// <remarks>
/// Datasets of one series are similar, so they are compressed together: in blocks of some twenty datasets, so that reading one dataset
/// unpacks its block and not the whole series.
/// <code>
/// text    dataset , dataset , dataset │ dataset , …        one JSON array without its brackets
/// blocks  └──────── Brotli ──────────┘└── Brotli ──…
/// index   UIDs in one array of ASCII · end of each UID · end of each dataset · ordinals by UID
/// </code>
/// Immutable. A CT instance with 6,400 bytes of JSON takes about 60 bytes of index and 60 of data.
/// </remarks>
public sealed class PackedInstances
{
    private const int BlockBytes = 128 * 1024;
    /// <summary>The lowest useful: quality 5 saves a sixth of the bytes for twenty times the work.</summary>
    private const int BrotliQuality = 1;
    private const int BrotliWindow = 18;

    /// <summary>Random, as a backend chooses its UIDs and must not choose their hash buckets.</summary>
    private static readonly long Seed = Random.Shared.NextInt64();

    private readonly ImmutableArray<Block> _blocks;
    private readonly byte[] _uids;
    private readonly int[] _uidEnds;
    private readonly int[] _datasetEnds;
    /// <summary>
    /// A hash table of ordinals + 1, 0 for an empty bucket. Built at the first lookup: metadata that is only sent whole needs none.
    /// </summary>
    private int[]? _buckets;

    internal PackedInstances(ImmutableArray<Block> blocks, byte[] uids, int[] uidEnds, int[] datasetEnds, UInt128 hash)
    {
        _blocks = blocks;
        _uids = uids;
        _uidEnds = uidEnds;
        _datasetEnds = datasetEnds;
        Hash = hash;
    }

    /// <summary>Datasets compressed together: ordinals from <paramref name="First"/>, <paramref name="Length"/> bytes of text.</summary>
    internal sealed record Block(int First, int Start, int Length, byte[] Packed);

    /// <summary>The number of instances.</summary>
    public int Count => _uidEnds.Length;

    /// <summary>
    /// The number of datasets without a valid UID and of attributes that are not DICOM JSON, which were left out of the backend's answer.
    /// Not persisted.
    /// </summary>
    public (int Datasets, int Attributes) Skipped { get; private init; }

    /// <summary>The hash of the text: equal hashes mean equal metadata.</summary>
    public UInt128 Hash { get; }

    /// <summary>The length of the unpacked text, in bytes.</summary>
    public int TextBytes => _blocks.IsEmpty ? 0 : _blocks[^1].Start + _blocks[^1].Length;

    /// <summary>The memory held by blocks and index, in bytes.</summary>
    public int PackedBytes => _blocks.Sum(b => b.Packed.Length + 64) + _uids.Length + 4 * (_uidEnds.Length * 4) + 160;

    /// <summary>The UIDs, in the order of the datasets.</summary>
    public IEnumerable<Uid> Uids => Enumerable.Range(0, Count).Select(i => Uid.TryParse(UidAt(i), out var uid) ? uid : default);

    /// <summary>The blocks, for <see cref="Proxy.Metadata.Persistence.PackedFormat"/>.</summary>
    internal ImmutableArray<Block> Blocks => _blocks;

    /// <summary>The index, for <see cref="Proxy.Metadata.Persistence.PackedFormat"/>.</summary>
    internal (byte[] Uids, int[] UidEnds, int[] DatasetEnds) Index => (_uids, _uidEnds, _datasetEnds);

    /// <summary>True when the instance is here.</summary>
    public bool Has(Uid sopInstanceUid) => Find(sopInstanceUid) >= 0;

    /// <summary>The stored JSON of one dataset; null when the instance is not here.</summary>
    public ReadOnlyMemory<byte>? FindJson(Uid sopInstanceUid) =>
        Find(sopInstanceUid) is >= 0 and var ordinal ? JsonAt(ordinal) : (ReadOnlyMemory<byte>?)null;

    /// <summary>The dataset with this ordinal.</summary>
    internal ReadOnlyMemory<byte> JsonAt(int ordinal)
    {
        var block = _blocks.Last(b => b.First <= ordinal);
        return DatasetAt(ordinal, block, UnpackedBlocks.Read(block, Unpack));
    }

    /// <summary>The ordinal of an instance; -1 when it is not here.</summary>
    internal int Find(Uid sopInstanceUid)
    {
        var buckets = _buckets ??= BuildBuckets();
        Span<byte> uid = stackalloc byte[Uid.MaxLength];
        uid = uid[..Encoding.ASCII.GetBytes(sopInstanceUid.ToString(), uid)];
        for (var bucket = GetHash(uid); ; bucket++)
        {
            var ordinal = buckets[bucket & (uint)(buckets.Length - 1)] - 1;
            if (ordinal < 0 || UidAt(ordinal).SequenceEqual(uid)) return ordinal;
        }
    }

    /// <summary>Builds a hash table: in a million instances each step of a binary search is a cache miss of the processor.</summary>
    private int[] BuildBuckets()
    {
        var buckets = new int[BitOperations.RoundUpToPowerOf2((uint)(Count + Count / 2 + 1))];
        for (var i = 0; i < Count; i++)
        {
            var bucket = GetHash(UidAt(i));
            while (buckets[bucket & (uint)(buckets.Length - 1)] != 0) bucket++;
            buckets[bucket & (uint)(buckets.Length - 1)] = i + 1;
        }
        return buckets;
    }

    private static uint GetHash(ReadOnlySpan<byte> uid) => (uint)XxHash3.HashToUInt64(uid, Seed);

    /// <summary>The stored text in pieces: datasets with commas between them.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> ReadText()
    {
        foreach (var block in _blocks) yield return Unpack(block);
    }

    /// <summary>A copy in which newer datasets replace those of the same UID; unknown ones are appended.</summary>
    public PackedInstances With(IReadOnlyDictionary<Uid, byte[]> newer)
    {
        var builder = new Builder { LeftOut = Skipped };
        foreach (var (uid, stored) in ReadEach()) builder.Add(uid, newer.TryGetValue(uid, out var json) ? json : stored.Span);
        foreach (var (uid, json) in newer)
        {
            if (!Has(uid)) builder.Add(uid, json);
        }
        return builder.Build();
    }

    /// <summary>All datasets in order; each block is unpacked once.</summary>
    internal IEnumerable<(Uid Uid, ReadOnlyMemory<byte> Json)> ReadEach()
    {
        var ordinal = 0;
        foreach (var block in _blocks)
        {
            var text = Unpack(block);
            for (; ordinal < Count && _datasetEnds[ordinal] <= block.Start + block.Length; ordinal++)
                yield return (Uid.TryParse(UidAt(ordinal), out var uid) ? uid : default, DatasetAt(ordinal, block, text));
        }
    }

    private ReadOnlyMemory<byte> DatasetAt(int ordinal, Block block, byte[] text)
    {
        var start = ordinal == 0 ? 0 : _datasetEnds[ordinal - 1] + 1;
        return text.AsMemory((start - block.Start)..(_datasetEnds[ordinal] - block.Start));
    }

    private static byte[] Unpack(Block block)
    {
        var text = new byte[block.Length];
        if (!BrotliDecoder.TryDecompress(block.Packed, text, out var written) || written != text.Length)
            throw new InvalidDataException("A packed block does not unpack to its recorded length.");
        return text;
    }

    private ReadOnlySpan<byte> UidAt(int ordinal) => _uids.AsSpan((ordinal == 0 ? 0 : _uidEnds[ordinal - 1]).._uidEnds[ordinal]);

    /// <summary>Compresses the dataset of one instance.</summary>
    public static PackedInstances Pack(Uid sopInstanceUid, ReadOnlySpan<byte> json)
    {
        var builder = new Builder(json.Length + 1);
        builder.Add(sopInstanceUid, json);
        return builder.Build();
    }

    /// <summary>Compresses datasets one by one. Of an instance that is added twice the last dataset counts.</summary>
    /// <param name="capacity">The room for text at the beginning, in bytes; it grows.</param>
    public sealed class Builder(int capacity = PackedInstances.BlockBytes + 16 * 1024)
    {
        private readonly ImmutableArray<Block>.Builder _packed = ImmutableArray.CreateBuilder<Block>();
        private readonly ArrayBufferWriter<byte> _text = new(capacity);
        private readonly XxHash128 _hash = new();
        private readonly ArrayBufferWriter<byte> _uids = new(256);
        private readonly List<int> _uidEnds = [];
        private readonly List<int> _datasetEnds = [];
        private readonly HashSet<Uid> _seen = [];
        private readonly Dictionary<Uid, byte[]> _newer = [];
        private int _start;
        private int _first;

        /// <summary>The number of instances added so far.</summary>
        public int Count => _uidEnds.Count;

        /// <inheritdoc cref="PackedInstances.Skipped"/>
        public (int Datasets, int Attributes) LeftOut { get; set; }

        /// <summary>Adds a dataset of one instance.</summary>
        public void Add(Uid sopInstanceUid, ReadOnlySpan<byte> json)
        {
            if (!_seen.Add(sopInstanceUid))
            {
                _newer[sopInstanceUid] = json.ToArray();
                return;
            }
            if (_uidEnds.Count > 0) _text.Write(","u8);
            _text.Write(json);
            _hash.Append(json);
            _uids.Advance(Encoding.ASCII.GetBytes(sopInstanceUid.ToString(), _uids.GetSpan(Uid.MaxLength)));
            _uidEnds.Add(_uids.WrittenCount);
            _datasetEnds.Add(_start + _text.WrittenCount);
            if (_text.WrittenCount >= BlockBytes) Pack();
        }

        /// <summary>Compresses the rest and builds the result.</summary>
        public PackedInstances Build()
        {
            if (_text.WrittenCount > 0) Pack();
            var packed = new PackedInstances(
                _packed.ToImmutable(), _uids.WrittenSpan.ToArray(), [.. _uidEnds], [.. _datasetEnds], _hash.GetCurrentHashAsUInt128())
            {
                Skipped = LeftOut,
            };
            return _newer.Count == 0 ? packed : packed.With(_newer);
        }

        private void Pack()
        {
            var text = _text.WrittenSpan;
            var packed = new byte[BrotliEncoder.GetMaxCompressedLength(text.Length)];
            if (!BrotliEncoder.TryCompress(text, packed, out var written, BrotliQuality, BrotliWindow))
                throw new InvalidOperationException("Brotli needs more room than GetMaxCompressedLength returns.");
            _packed.Add(new(_first, _start, text.Length, packed[..written]));
            _start += text.Length;
            _first = _uidEnds.Count;
            _text.ResetWrittenCount();
        }
    }
}
