using System.Buffers;
using System.Collections.Immutable;
using System.IO.Compression;
using System.IO.Hashing;
using System.Numerics;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>The datasets of a series' instances, packed, with an index by SOP Instance UID.</summary>
/// <remarks>
/// Datasets of one series repeat each other, so they are packed together: in blocks of some twenty datasets, so that
/// one of them costs the unpacking of its block and not of the whole series.
/// <code>
/// text    dataset , dataset , dataset │ dataset , …        one JSON array without its brackets
/// blocks  └──────── Brotli ──────────┘└── Brotli ──…
/// index   UIDs in one array of ASCII · where each ends · where each dataset ends · ordinals by UID
/// </code>
/// Never changes. About 60 bytes of index and 60 of data for a CT instance whose JSON is 6,400.
/// </remarks>
public sealed class PackedInstances
{
    private const int BlockBytes = 128 * 1024;
    /// <summary>The lowest: datasets repeat each other so much that 5 saves a sixth of the bytes for twenty times the work.</summary>
    private const int BrotliQuality = 1;
    private const int BrotliWindow = 18;

    /// <summary>A backend chooses its UIDs, but not where they fall.</summary>
    private static readonly long Seed = Random.Shared.NextInt64();

    private readonly ImmutableArray<Block> _blocks;
    private readonly byte[] _uids;
    private readonly int[] _uidEnds;
    private readonly int[] _datasetEnds;
    /// <summary>
    /// Ordinals + 1 by the hash of their UIDs, 0 where there is none. Made when something is first looked up: what is only given whole
    /// needs it not.
    /// </summary>
    private int[]? _places;

    internal PackedInstances(ImmutableArray<Block> blocks, byte[] uids, int[] uidEnds, int[] datasetEnds, UInt128 hash)
    {
        _blocks = blocks;
        _uids = uids;
        _uidEnds = uidEnds;
        _datasetEnds = datasetEnds;
        Hash = hash;
    }

    /// <summary>Some datasets packed together: ordinals from <paramref name="First"/>, <paramref name="Length"/> bytes of text.</summary>
    internal sealed record Block(int First, int Start, int Length, byte[] Packed);

    public int Count => _uidEnds.Length;

    /// <summary>
    /// Datasets without a valid UID and attributes that were not DICOM JSON, which the backend sent and which are not here. Not kept on
    /// disk.
    /// </summary>
    public (int Datasets, int Attributes) LeftOut { get; private init; }

    /// <summary>Of the text: two equal hashes are the same metadata.</summary>
    public UInt128 Hash { get; }

    /// <summary>Bytes of the text when unpacked.</summary>
    public int TextBytes => _blocks.IsEmpty ? 0 : _blocks[^1].Start + _blocks[^1].Length;

    /// <summary>Bytes of memory that are held: blocks and index.</summary>
    public int PackedBytes => _blocks.Sum(b => b.Packed.Length + 64) + _uids.Length + 4 * (_uidEnds.Length * 4) + 160;

    /// <summary>The UIDs, in the order of the datasets.</summary>
    public IEnumerable<Uid> Uids => Enumerable.Range(0, Count).Select(i => Uid.TryParse(UidAt(i), out var uid) ? uid : default);

    /// <summary>As it is kept, for <see cref="Proxy.Metadata.Persistence.PackedFormat"/>.</summary>
    internal ImmutableArray<Block> Blocks => _blocks;

    /// <summary>As it is kept, for <see cref="Proxy.Metadata.Persistence.PackedFormat"/>.</summary>
    internal (byte[] Uids, int[] UidEnds, int[] DatasetEnds) Index => (_uids, _uidEnds, _datasetEnds);

    public bool Has(Uid sopInstanceUid) => Find(sopInstanceUid) >= 0;

    /// <summary>One dataset's JSON as kept; null when the instance is not here.</summary>
    public ReadOnlyMemory<byte>? FindJson(Uid sopInstanceUid) =>
        Find(sopInstanceUid) is >= 0 and var ordinal ? JsonAt(ordinal) : (ReadOnlyMemory<byte>?)null;

    /// <summary>The dataset that stands at this place.</summary>
    internal ReadOnlyMemory<byte> JsonAt(int ordinal)
    {
        var block = _blocks.Last(b => b.First <= ordinal);
        return DatasetAt(ordinal, block, UnpackedBlocks.Read(block, Unpack));
    }

    /// <summary>Its place; -1 when it is not here.</summary>
    internal int Find(Uid sopInstanceUid)
    {
        var places = _places ??= FindOffsets();
        Span<byte> uid = stackalloc byte[Uid.MaxLength];
        uid = uid[..Encoding.ASCII.GetBytes(sopInstanceUid.ToString(), uid)];
        for (var at = GetHash(uid); ; at++)
        {
            var ordinal = places[at & (uint)(places.Length - 1)] - 1;
            if (ordinal < 0 || UidAt(ordinal).SequenceEqual(uid)) return ordinal;
        }
    }

    /// <summary>A hash table: among a million instances each step of a binary search is a wait for memory.</summary>
    private int[] FindOffsets()
    {
        var places = new int[BitOperations.RoundUpToPowerOf2((uint)(Count + Count / 2 + 1))];
        for (var i = 0; i < Count; i++)
        {
            var at = GetHash(UidAt(i));
            while (places[at & (uint)(places.Length - 1)] != 0) at++;
            places[at & (uint)(places.Length - 1)] = i + 1;
        }
        return places;
    }

    private static uint GetHash(ReadOnlySpan<byte> uid) => (uint)XxHash3.HashToUInt64(uid, Seed);

    /// <summary>The text in pieces: datasets with commas between them, as kept.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> ReadText()
    {
        foreach (var block in _blocks) yield return Unpack(block);
    }

    /// <summary>The same with some datasets in place of older ones of the same UID, and those behind that were not here.</summary>
    public PackedInstances With(IReadOnlyDictionary<Uid, byte[]> newer)
    {
        var builder = new Builder { LeftOut = LeftOut };
        foreach (var (uid, kept) in ReadEach()) builder.Add(uid, newer.TryGetValue(uid, out var json) ? json : kept.Span);
        foreach (var (uid, json) in newer)
        {
            if (!Has(uid)) builder.Add(uid, json);
        }
        return builder.Build();
    }

    /// <summary>Every dataset in order; a block is unpacked once.</summary>
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
            throw new InvalidDataException("A packed block does not unpack to its length.");
        return text;
    }

    private ReadOnlySpan<byte> UidAt(int ordinal) => _uids.AsSpan((ordinal == 0 ? 0 : _uidEnds[ordinal - 1]).._uidEnds[ordinal]);

    /// <summary>Packs datasets as they come. An instance that comes twice is kept as it came last.</summary>
    public sealed class Builder
    {
        private readonly ImmutableArray<Block>.Builder _packed = ImmutableArray.CreateBuilder<Block>();
        private readonly ArrayBufferWriter<byte> _text = new(BlockBytes + 16 * 1024);
        private readonly XxHash128 _hash = new();
        private readonly ArrayBufferWriter<byte> _uids = new(4096);
        private readonly List<int> _uidEnds = [];
        private readonly List<int> _datasetEnds = [];
        private readonly HashSet<Uid> _seen = [];
        private readonly Dictionary<Uid, byte[]> _newer = [];
        private int _start;
        private int _first;

        public int Count => _uidEnds.Count;

        /// <inheritdoc cref="PackedInstances.LeftOut"/>
        public (int Datasets, int Attributes) LeftOut { get; set; }

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

        public PackedInstances Build()
        {
            if (_text.WrittenCount > 0) Pack();
            var packed = new PackedInstances(
                _packed.ToImmutable(), _uids.WrittenSpan.ToArray(), [.. _uidEnds], [.. _datasetEnds], _hash.GetCurrentHashAsUInt128())
            {
                LeftOut = LeftOut,
            };
            return _newer.Count == 0 ? packed : packed.With(_newer);
        }

        private void Pack()
        {
            var text = _text.WrittenSpan;
            var packed = new byte[BrotliEncoder.GetMaxCompressedLength(text.Length)];
            if (!BrotliEncoder.TryCompress(text, packed, out var written, BrotliQuality, BrotliWindow))
                throw new InvalidOperationException("Brotli needs more room than it says.");
            _packed.Add(new(_first, _start, text.Length, packed[..written]));
            _start += text.Length;
            _first = _uidEnds.Count;
            _text.ResetWrittenCount();
        }
    }
}
