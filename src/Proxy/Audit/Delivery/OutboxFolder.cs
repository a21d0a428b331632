using System.Globalization;
using System.Text.Json;

namespace Proxy.Audit.Delivery;

/// <summary>The files of the outbox: records in segments, and how far each sink has read.</summary>
/// <remarks>
/// <code>
/// 00000000000000000001.log     records, one JSON document per line, in order
/// 00000000000000000002.log     the last segment grows; a torn last line is cut off at the next start
/// syslog.position              "2 1840": this sink has everything before byte 1840 of segment 2
/// </code>
/// A segment is deleted when every sink has passed it. A lost position costs a second delivery, never a record. Thread-safe.
/// </remarks>
internal sealed class OutboxFolder : IDisposable
{
    private const string Extension = ".log";

    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly SortedDictionary<long, long> _segments = [];
    private readonly Dictionary<string, (long Segment, long Offset)> _positions = [];
    private readonly long _segmentBytes;
    private FileStream? _last;

    /// <summary>Opens the folder, which it creates for the account of the proxy alone.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="maxBytes">The most bytes of all segments.</param>
    /// <param name="sinks">The names of the sinks.</param>
    public OutboxFolder(string path, long maxBytes, IEnumerable<string> sinks)
    {
        (_path, MaxBytes) = (path, maxBytes);
        _segmentBytes = Math.Clamp(maxBytes / 16, 4096, 16L << 20);
        PrivateFiles.CreateFolder(path);
        foreach (var file in Directory.EnumerateFiles(path, "*" + Extension))
        {
            if (long.TryParse(Path.GetFileNameWithoutExtension(file), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                _segments[number] = new FileInfo(file).Length;
        }
        if (_segments.Count > 0) CutTornLine(_segments.Keys.Last());
        var first = _segments.Count > 0 ? _segments.Keys.First() : 1;
        foreach (var sink in sinks)
            _positions[sink] = ReadPosition(sink) is { } known && _segments.ContainsKey(known.Segment) ? known : (first, 0);
    }

    /// <summary>The most bytes of all segments.</summary>
    public long MaxBytes { get; }

    /// <summary>The bytes of all segments.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock) return _segments.Values.Sum();
        }
    }

    /// <summary>The bytes that a sink has not got yet.</summary>
    public long CountPending(string sink)
    {
        lock (_lock)
        {
            var (segment, offset) = _positions[sink];
            return _segments.Where(s => s.Key >= segment).Sum(s => s.Value) - (_segments.ContainsKey(segment) ? offset : 0);
        }
    }

    /// <summary>Appends lines and waits until the disk has them. An exception leaves the outbox as it was.</summary>
    public void Append(ReadOnlySpan<byte> lines)
    {
        lock (_lock)
        {
            var number = _segments.Count > 0 ? _segments.Keys.Last() : 1;
            if (_last is not null && _last.Length + lines.Length > _segmentBytes && _last.Length > 0)
            {
                _last.Dispose();
                _last = null;
                number++;
            }
            _last ??= PrivateFiles.OpenAppend(GetFile(number));
            var start = _last.Length;
            try
            {
                _last.Position = start;
                _last.Write(lines);
                _last.Flush(flushToDisk: true);
            }
            catch
            {
                TryCut(start);
                throw;
            }
            _segments[number] = _last.Length;
        }
    }

    /// <summary>Deletes the oldest segment, although a sink has not got all of it.</summary>
    /// <returns>The number of records that at least one sink has lost.</returns>
    public int DropOldest()
    {
        lock (_lock)
        {
            if (_segments.Count == 0) return 0;
            var (number, length) = _segments.First();
            var from = _positions.Values.Where(p => p.Segment <= number).Select(p => p.Segment < number ? 0 : p.Offset)
                .DefaultIfEmpty(length).Min();
            var lost = CountLines(number, from);
            if (number == _segments.Keys.Last())
            {
                _last?.Dispose();
                _last = null;
                _segments[number + 1] = 0;
                using (PrivateFiles.OpenAppend(GetFile(number + 1))) { }
            }
            foreach (var (sink, position) in _positions.ToList())
            {
                if (position.Segment <= number) SetPosition(sink, number + 1, 0);
            }
            DeletePassed();
            return lost;
        }
    }

    /// <summary>Reads the next records for a sink.</summary>
    /// <param name="sink">The sink.</param>
    /// <param name="max">The most records.</param>
    /// <returns>
    /// The records, and the position behind them for <see cref="Commit"/>; lines that are no records are left out and counted.
    /// </returns>
    public (List<AuditRecord> Records, (long Segment, long Offset) End, int Damaged) Read(string sink, int max)
    {
        lock (_lock)
        {
            var (segment, offset) = _positions[sink];
            while (_segments.TryGetValue(segment, out var length) && offset >= length && _segments.ContainsKey(segment + 1))
                (segment, offset) = (segment + 1, 0);
            if (!_segments.TryGetValue(segment, out var end) || offset >= end) return ([], (segment, offset), 0);
            return ReadLines(segment, offset, end, max);
        }
    }

    /// <summary>Notes that a sink has everything before a position, and deletes what every sink has.</summary>
    public void Commit(string sink, (long Segment, long Offset) position)
    {
        lock (_lock)
        {
            // The segment may have been dropped while the sink received it.
            if (_positions[sink].Segment > position.Segment) return;
            SetPosition(sink, position.Segment, position.Offset);
            DeletePassed();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock) _last?.Dispose();
    }

    private (List<AuditRecord> Records, (long Segment, long Offset) End, int Damaged) ReadLines(
        long segment, long offset, long end, int max)
    {
        const int maxBytes = 1 << 20;
        using var file = PrivateFiles.OpenRead(GetFile(segment));
        file.Position = offset;
        // A line is shorter than this: the texts in it are bounded.
        var bytes = new byte[Math.Min(end - offset, maxBytes)];
        file.ReadExactly(bytes);
        var (records, damaged, at) = (new List<AuditRecord>(), 0, 0);
        while (at < bytes.Length && records.Count < max && bytes.AsSpan(at).IndexOf((byte)'\n') is >= 0 and var length)
        {
            if (TryRead(bytes.AsSpan(at, length)) is { } record) records.Add(record);
            else damaged++;
            at += length + 1;
        }
        return (records, (segment, at == 0 ? end : offset + at), damaged);
    }

    private static AuditRecord? TryRead(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, AuditJson.Default.AuditRecord);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private int CountLines(long segment, long from)
    {
        using var file = PrivateFiles.OpenRead(GetFile(segment));
        file.Position = Math.Min(from, file.Length);
        var (buffer, lines) = (new byte[1 << 16], 0);
        while (file.Read(buffer) is > 0 and var read) lines += buffer.AsSpan(0, read).Count((byte)'\n');
        return lines;
    }

    private void DeletePassed()
    {
        var passed = _positions.Values.Select(p => p.Segment).DefaultIfEmpty(long.MaxValue).Min();
        foreach (var number in _segments.Keys.Where(n => n < passed).ToList())
        {
            File.Delete(GetFile(number));
            _segments.Remove(number);
        }
    }

    private void SetPosition(string sink, long segment, long offset)
    {
        _positions[sink] = (segment, offset);
        var file = Path.Combine(_path, sink + ".position");
        var text = string.Create(CultureInfo.InvariantCulture, $"{segment} {offset}");
        try
        {
            using (var written = PrivateFiles.OpenNew(file + ".new")) written.Write(System.Text.Encoding.ASCII.GetBytes(text));
            File.Move(file + ".new", file, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // After a restart, the sink gets these records again.
        }
    }

    private (long Segment, long Offset)? ReadPosition(string sink)
    {
        var file = Path.Combine(_path, sink + ".position");
        if (!File.Exists(file)) return null;
        var parts = File.ReadAllText(file).Split(' ');
        return parts.Length == 2 && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var segment)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var offset) ? (segment, offset) : null;
    }

    private void CutTornLine(long number)
    {
        using var file = PrivateFiles.OpenAppend(GetFile(number));
        _segments[number] = PrivateFiles.CutTornLine(file);
    }

    private void TryCut(long length)
    {
        try
        {
            _last!.SetLength(length);
        }
        catch (IOException)
        {
            // The next write begins at the same place.
        }
    }

    private string GetFile(long number) => Path.Combine(_path, number.ToString("D20", CultureInfo.InvariantCulture) + Extension);
}
