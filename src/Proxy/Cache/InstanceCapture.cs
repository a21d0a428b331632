using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>The bytes of an instance that passes through the proxy to a backend, in memory until the backend has accepted it.</summary>
/// <remarks>
/// A capture is dropped, and frees its memory, on any doubt: too many bytes, the same instance in another request, or a removal that
/// selects the instance. Any thread may drop it.
/// </remarks>
/// <param name="key">The key under which the instance is stored.</param>
/// <param name="take">Reserves bytes of memory; false when there are no more.</param>
/// <param name="give">Returns reserved bytes.</param>
public sealed class InstanceCapture(EntryKey key, Func<long, bool> take, Action<long> give)
{
    private const int FirstPieceBytes = 16 * 1024;
    private const int MaxPieceBytes = 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly List<byte[]> _pieces = [];
    private int _room;
    private long _reserved;
    private bool _isDropped;

    /// <summary>The key under which the instance is stored.</summary>
    public EntryKey Key { get; } = key;

    /// <summary>The number of bytes so far.</summary>
    public long Length { get; private set; }

    /// <summary>True when the bytes are not wanted any more.</summary>
    public bool IsDropped
    {
        get
        {
            lock (_lock) return _isDropped;
        }
    }

    /// <summary>Appends bytes; without memory for them the capture is dropped.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            while (!bytes.IsEmpty && !_isDropped)
            {
                if (_room == 0) AddPiece();
                var count = Math.Min(_room, bytes.Length);
                if (count == 0) return;
                bytes[..count].CopyTo(_pieces[^1].AsSpan(_pieces[^1].Length - _room));
                _room -= count;
                Length += count;
                bytes = bytes[count..];
            }
        }
    }

    /// <summary>Frees the memory: the bytes are not wanted any more.</summary>
    public void Drop()
    {
        lock (_lock)
        {
            _isDropped = true;
            _pieces.Clear();
            _room = 0;
            give(_reserved);
            _reserved = 0;
        }
    }

    /// <summary>The complete body as an entry; null when the capture was dropped.</summary>
    /// <param name="transferSyntax">The transfer syntax of the file.</param>
    /// <param name="now">The time of the answer.</param>
    public Entry? Build(string transferSyntax, DateTimeOffset now)
    {
        lock (_lock)
        {
            if (_isDropped) return null;
            // The rest of the last array would be held but not counted.
            if (_room > 0) _pieces[^1] = _pieces[^1][..^_room];
            _room = 0;
            return new(
                new(BodyFormat.Dicom, transferSyntax, Length), [.. _pieces.Select(piece => (ReadOnlyMemory<byte>)piece)], Length, now);
        }
    }

    /// <summary>Call under the lock.</summary>
    private void AddPiece()
    {
        var bytes = (int)Math.Clamp(Length, FirstPieceBytes, MaxPieceBytes);
        if (!take(bytes))
        {
            Drop();
            return;
        }
        _reserved += bytes;
        _pieces.Add(GC.AllocateUninitializedArray<byte>(bytes));
        _room = bytes;
    }
}
