using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using Xunit;

namespace Proxy.Integration;

/// <summary>The released OHIF viewer, downloaded from npm once and stored in the user's cache folder.</summary>
public static class OhifPackage
{
    private const string Version = "3.13.2";

    /// <summary>The hash of the package file, which any mirror must match.</summary>
    private const string Sha512 =
        "5997719A9986EEBA85816F5924B71B82BDD70AD2E2D4A0CD3E831A798E4F3DEEA3E06E1F8C48E393271933A0BA664D85F3B04AC457E9ABE8DDE715D907D13C10";

    /// <summary>The folder for downloads that later runs use again.</summary>
    public static string Home => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "proxy-integration");

    /// <summary>The folder with the viewer's <c>index.html</c>; null if it is not stored and npm is missing or fails.</summary>
    public static async Task<string?> FindAsync(CancellationToken cancellationToken)
    {
        var folder = Path.Combine(Home, "ohif-" + Version);
        if (Directory.Exists(folder))
            return folder;

        using var scratch = new Scratch("ohif");
        if (await FindPackageAsync(scratch.Folder, cancellationToken) is not { } package)
            return null;

        // Unpack beside the target and move the finished folder: an aborted run leaves no incomplete viewer.
        var part = Path.Combine(Home, Path.GetRandomFileName());
        await UnpackAsync(package, part, cancellationToken);
        Directory.Move(part, folder);
        return folder;
    }

    private static async Task<string?> FindPackageAsync(string folder, CancellationToken cancellationToken)
    {
        if (Real.Npm is null)
            return null;
        await using var npm = ChildProcess.Start(Real.Npm, ["pack", $"@ohif/app@{Version}", "--silent"], folder);
        await npm.WaitAsync(cancellationToken);
        if (Directory.GetFiles(folder, "*.tgz").SingleOrDefault() is not { } package)
        {
            TestContext.Current.SendDiagnosticMessage($"npm did not download the viewer. Output:\n{npm.Log}");
            return null;
        }

        await using var file = File.OpenRead(package);
        var hash = Convert.ToHexString(await SHA512.HashDataAsync(file, cancellationToken));
        return hash == Sha512 ? package : throw new InvalidDataException($"The viewer's package has the hash {hash}");
    }

    private static async Task UnpackAsync(string package, string folder, CancellationToken cancellationToken)
    {
        const string dist = "package/dist/";
        await using var file = File.OpenRead(package);
        await using var packed = new GZipStream(file, CompressionMode.Decompress);
        await using var archive = new TarReader(packed);
        while (await archive.GetNextEntryAsync(cancellationToken: cancellationToken) is { } entry)
        {
            // Skip source maps: no test debugs the viewer.
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile)
                || !entry.Name.StartsWith(dist, StringComparison.Ordinal) || entry.Name.EndsWith(".map", StringComparison.Ordinal))
            {
                continue;
            }

            var path = Path.Combine(folder, entry.Name[dist.Length..]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await entry.ExtractToFileAsync(path, overwrite: false, cancellationToken);
        }
    }
}
