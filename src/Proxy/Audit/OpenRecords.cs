using System.Text;
using System.Text.Json;
using Proxy.Audit.Delivery;

namespace Proxy.Audit;

/// <summary>The records of open windows on disk: a process that is killed cannot write them, and the next one does.</summary>
/// <remarks>
/// <code>
/// open.0, open.1     {"Id":"…",…}     a window opened with this record
///                    -…               the window of this record ended
/// </code>
/// The files are used in turns. A window lasts less than a turn, so a file whose turn begins has no open window left, and is emptied. Lines
/// are not flushed to the disk: they survive the end of the process, not that of the machine. Used by one thread.
/// </remarks>
/// <param name="folder">The folder of the outbox.</param>
internal sealed class OpenRecords(string folder) : IDisposable
{
    private static readonly TimeSpan Turn = AuditWindows.Length * 2;

    private FileStream? _file;
    private int _turn;
    private DateTimeOffset _began;

    /// <summary>The records that an earlier process left, each as far as it is known; they are left no more.</summary>
    public IReadOnlyList<AuditRecord> TakeLeft()
    {
        var left = new Dictionary<string, AuditRecord>();
        foreach (var file in Enumerable.Range(0, 2).Select(GetFile).Where(File.Exists).OrderBy(File.GetLastWriteTimeUtc))
        {
            // The last line may be torn.
            foreach (var line in File.ReadLines(file))
            {
                if (line.StartsWith('-')) left.Remove(line[1..]);
                else if (TryRead(line) is { } record) left[record.Id] = record;
            }
            File.Delete(file);
        }
        return [.. left.Values];
    }

    /// <summary>Notes that a window opened.</summary>
    public void Open(AuditRecord record, DateTimeOffset now)
    {
        if (_file is null || now - _began > Turn)
        {
            _file?.Dispose();
            _turn = 1 - _turn;
            _began = now;
            PrivateFiles.CreateFolder(folder);
            _file = PrivateFiles.OpenNew(GetFile(_turn));
        }
        Write(JsonSerializer.Serialize(record, AuditJson.Default.AuditRecord));
    }

    /// <summary>Notes that the window of a record ended.</summary>
    public void Close(string id) => Write("-" + id);

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private static AuditRecord? TryRead(string line)
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

    private void Write(string line) => _file?.Write(Encoding.UTF8.GetBytes(line + "\n"));

    private string GetFile(int turn) => Path.Combine(folder, turn == 0 ? "open.0" : "open.1");
}
