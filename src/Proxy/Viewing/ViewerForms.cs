using System.Collections.Concurrent;
using System.Security.Cryptography;
using Proxy.Operations;

namespace Proxy.Viewing;

/// <summary>The forms of the viewer's files: each is made once, on its first request, and stays in memory.</summary>
/// <param name="builtFor">The path that the viewer was built for, with a slash at its end.</param>
internal sealed class ViewerForms(string builtFor)
{
    /// <summary>The maximum total of compressed bytes. OHIF 3.13 takes about 7 MB per coding. Beyond, files are sent as they are.</summary>
    public const long MaxBytes = 32 << 20;

    /// <summary>A file above this size is not compressed: it would be read into memory as a whole.</summary>
    private const long MaxFileBytes = 64 << 20;

    /// <summary>One form at a time: a build has large files, and their content is in memory meanwhile.</summary>
    private readonly TaskFactory _oneByOne = new(new ConcurrentExclusiveSchedulerPair().ExclusiveScheduler);
    private readonly ConcurrentDictionary<(ViewerFile File, Coding Coding), Lazy<Task<ViewerForm>>> _forms = new();
    private long _bytes;

    /// <summary>The total of compressed bytes.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>The form of a file in a coding, or the file as it is if that form is not worth its bytes.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The proxy may not read the file.</exception>
    public async Task<ViewerForm> GetAsync(ViewerFile file, Coding coding)
    {
        var key = (file, coding);
        var form = _forms.GetOrAdd(key, _ => new(() => _oneByOne.StartNew(() => Make(file, coding))));
        try
        {
            return await form.Value;
        }
        catch
        {
            _forms.TryRemove(new(key, form));
            throw;
        }
    }

    private ViewerForm Make(ViewerFile file, Coding coding)
    {
        if (new FileInfo(file.Path).Length > MaxFileBytes || !file.Type.IsCompressible)
        {
            using var stream = File.OpenRead(file.Path);
            return new(GetTag(SHA256.HashData(stream), ""), Coding.Identity, null, 0);
        }
        var content = File.ReadAllBytes(file.Path);
        var hash = SHA256.HashData(content);
        var pieces = ViewerEdits.Apply(file, content, builtFor);
        var isEdited = pieces.Count > 1;
        var length = pieces.Sum(piece => (long)piece.Length);
        // An edited file exists in memory only, in its smallest form.
        var stored = isEdited && coding == Coding.Identity ? Coding.Brotli : coding;
        if (stored == Coding.Identity || (!isEdited && (length < Packing.MinBytes || Bytes > MaxBytes)))
            return new(GetTag(hash, ""), Coding.Identity, null, length);
        var packed = Packing.Compress(pieces, stored);
        if (!isEdited && packed.Length >= length) return new(GetTag(hash, ""), Coding.Identity, null, length);
        Interlocked.Add(ref _bytes, packed.Length);
        return new(GetTag(hash, coding == stored ? Codings.GetName(coding) : ""), stored, packed, length) { IsEdited = isEdited };
    }

    private static string GetTag(byte[] hash, string coding) =>
        $"\"{Convert.ToHexStringLower(hash)[..32]}-{ViewerEdits.Version}{(coding == "" ? "" : "-" + coding)}\"";
}

/// <summary>A file of the viewer in one coding.</summary>
/// <param name="ETag">The entity tag: a hash of the content, the version of the edits, and the coding of the answer.</param>
/// <param name="Coding">The coding of <paramref name="Bytes"/>.</param>
/// <param name="Bytes">The compressed content; null if the file is sent as it is.</param>
/// <param name="Length">The length without a coding, in bytes; 0 if it is not known.</param>
internal sealed record ViewerForm(string ETag, Coding Coding, byte[]? Bytes, long Length)
{
    /// <summary>Whether the content differs from the file on disk.</summary>
    public bool IsEdited { get; init; }
}
