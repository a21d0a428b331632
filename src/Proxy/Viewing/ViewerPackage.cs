using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Proxy.Viewing;

/// <summary>OHIF as the package <c>@ohif/app</c> of npm, and its installation into a folder.</summary>
/// <remarks>
/// <code>
/// 1 the folder     does not exist, is empty, or is an earlier installation, which a file in it tells
/// 2 download       by npm, into a temporary folder beside it; no script of the package runs
/// 3 integrity      the hash of this version that is known here, or of the registry
/// 4 unpack         the files of the build without source maps
/// 5 move           the finished folder takes its place; a failed installation leaves nothing
/// </code>
/// </remarks>
/// <param name="npm">The program that downloads; null if npm is not installed.</param>
internal sealed partial class ViewerPackage(NpmProgram? npm)
{
    /// <summary>The version that is installed unless another one is asked for; the tests run with it.</summary>
    public const string DefaultVersion = "3.13.2";

    private const string DefaultIntegrity =
        "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA==";

    private const string Name = "@ohif/app", Mark = ".proxy-viewer", Build = "package/dist/";

    /// <summary>The maximum of unpacked bytes. OHIF 3.13 has 173 MB.</summary>
    private const long MaxBytes = 1L << 30;

    private static readonly string[] NetworkErrors =
        ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "ERR_SOCKET_TIMEOUT"];

    /// <summary>Installs a version into a folder.</summary>
    /// <param name="folder">The folder; it is created, and an earlier installation in it is replaced.</param>
    /// <param name="version">The version of the package, such as <c>3.13.2</c>.</param>
    /// <param name="cancellation">Ends the installation, which then leaves nothing.</param>
    public async Task<ViewerInstallation> InstallAsync(string folder, string version, CancellationToken cancellation)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (!Version().IsMatch(version)) return ViewerInstallation.Failed($"\"{version}\" is not a version such as {DefaultVersion}");
        if (npm is null)
            return ViewerInstallation.Failed("npm was not found: install Node.js (https://nodejs.org), which brings it, or add it to PATH");
        // 1.
        if (FindObstacle(folder) is { } obstacle) return ViewerInstallation.Failed(obstacle);
        var part = Path.Combine(Path.GetDirectoryName(folder) ?? folder, $".{Path.GetFileName(folder)}-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(part);
            return await InstallAsync(npm, part, folder, version, cancellation);
        }
        catch (InvalidDataException)
        {
            return ViewerInstallation.Failed("The downloaded package is damaged: try again after \"npm cache clean --force\"");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ViewerInstallation.Failed($"{folder} cannot be written ({e.Message}): choose another folder with --path, or make room");
        }
        finally
        {
            if (Directory.Exists(part)) Directory.Delete(part, recursive: true);
        }
    }

    private static async Task<ViewerInstallation> InstallAsync(
        NpmProgram npm, string part, string folder, string version, CancellationToken cancellation)
    {
        // 2.
        var packed = await npm.RunAsync(part, ["pack", $"{Name}@{version}"], cancellation);
        if (packed.Result is null) return ViewerInstallation.Failed(Describe(packed, version));
        if (Directory.GetFiles(part, "*.tgz") is not [var package]) return ViewerInstallation.Failed("npm pack wrote no package");
        // 3.
        var expected = DefaultIntegrity;
        if (version != DefaultVersion)
        {
            var viewed = await npm.RunAsync(part, ["view", $"{Name}@{version}", "dist.integrity"], cancellation);
            if (viewed.Result is not { ValueKind: JsonValueKind.String } integrity)
                return ViewerInstallation.Failed(Describe(viewed, version));
            expected = integrity.GetString()!;
        }
        if (await HashAsync(package, cancellation) != expected)
            return ViewerInstallation.Failed(
                $"The downloaded package is not {Name} {version} as published: its hash differs. Try again, or check the registry of npm");
        // 4.
        var build = Path.Combine(part, "build");
        var (files, bytes) = await UnpackAsync(package, build, cancellation);
        if (!ViewerFolder.HasIndex(build))
            return ViewerInstallation.Failed($"{Name} {version} contains no built viewer: choose another version");
        await File.WriteAllTextAsync(Path.Combine(build, Mark), version + "\n", cancellation);
        // 5.
        Replace(folder, build, Path.Combine(part, "before"));
        return new(null, folder, version, files, bytes);
    }

    /// <summary>Moves the finished build to its place; what was there stays if that fails.</summary>
    private static void Replace(string folder, string build, string before)
    {
        var isThere = Directory.Exists(folder);
        if (isThere) Directory.Move(folder, before);
        try
        {
            Directory.Move(build, folder);
        }
        catch
        {
            if (isThere) Directory.Move(before, folder);
            throw;
        }
    }

    private static string? FindObstacle(string folder)
    {
        if (File.Exists(folder)) return $"{folder} is a file: choose a folder with --path";
        if (!Directory.Exists(folder) || File.Exists(Path.Combine(folder, Mark))) return null;
        try
        {
            return Directory.EnumerateFileSystemEntries(folder).Any()
                ? $"{folder} has files of its own: choose another folder with --path, or empty it"
                : null;
        }
        catch (UnauthorizedAccessException)
        {
            return $"{folder} cannot be read: choose another folder with --path";
        }
    }

    private static async Task<string> HashAsync(string path, CancellationToken cancellation)
    {
        await using var file = File.OpenRead(path);
        return "sha512-" + Convert.ToBase64String(await SHA512.HashDataAsync(file, cancellation));
    }

    private static async Task<(int Files, long Bytes)> UnpackAsync(string package, string folder, CancellationToken cancellation)
    {
        var (files, bytes) = (0, 0L);
        await using var file = File.OpenRead(package);
        await using var unpacked = new GZipStream(file, CompressionMode.Decompress);
        await using var archive = new TarReader(unpacked);
        while (await archive.GetNextEntryAsync(copyData: false, cancellation) is { } entry)
        {
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || !IsOfBuild(entry.Name)) continue;
            bytes += entry.Length;
            if (bytes > MaxBytes) throw new IOException($"the package has more than {MaxBytes} bytes");
            var path = Path.Combine(folder, entry.Name[Build.Length..]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await using var target = File.Create(path);
            if (entry.DataStream is { } content) await content.CopyToAsync(target, cancellation);
            files++;
        }
        return (files, bytes);
    }

    /// <summary>A file of the build: no source map, and no name that leaves the folder.</summary>
    private static bool IsOfBuild(string name) =>
        name.StartsWith(Build, StringComparison.Ordinal) && !name.EndsWith(".map", StringComparison.Ordinal)
        && !name.Contains('\\', StringComparison.Ordinal)
        && name[Build.Length..].Split('/').All(segment => segment is not ("" or ['.', ..]));

    private static string Describe(NpmAnswer answer, string version) => answer.Code switch
    {
        "ETARGET" or "E404" => $"{Name} has no version {version}: \"npm view {Name} versions\" lists them",
        "EINTEGRITY" => "The download was damaged (EINTEGRITY): try again after \"npm cache clean --force\"",
        "ENOSPC" => "The disk is full (ENOSPC): make room, or choose another folder with --path",
        "E401" or "E403" =>
            $"The registry of npm refused the request ({answer.Code}): log in with \"npm login\", or name another registry",
        var code when NetworkErrors.Contains(code) =>
            $"npm cannot reach its registry ({code}): check the network, set HTTPS_PROXY, or name a mirror "
            + "with \"npm config set registry\"",
        var code => $"npm failed{(code == "" ? "" : $" ({code})")}: {answer.Summary}",
    };

    [GeneratedRegex(@"^\d{1,9}\.\d{1,9}\.\d{1,9}(-[0-9A-Za-z.-]{1,64})?$")]
    private static partial Regex Version();
}

/// <summary>The outcome of an installation.</summary>
/// <param name="Error">Why nothing was installed, with the remedy, in one line; null if it was.</param>
/// <param name="Folder">The absolute path of the folder.</param>
/// <param name="Version">The version.</param>
/// <param name="Files">The number of files.</param>
/// <param name="Bytes">Their size.</param>
internal sealed record ViewerInstallation(string? Error, string Folder, string Version, int Files, long Bytes)
{
    /// <summary>Nothing was installed.</summary>
    public static ViewerInstallation Failed(string error) => new(error, "", "", 0, 0);
}
