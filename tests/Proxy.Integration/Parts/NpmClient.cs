using Xunit;

namespace Proxy.Integration;

/// <summary>The client library <c>dicomweb-client</c> from npm, installed once into the user's cache folder and run in Node.js.</summary>
public sealed class NpmClient
{
    private const string Script = "dicomweb-client.cjs", Answer = "RESULT ";

    private readonly string _folder;

    private NpmClient(string folder) => _folder = folder;

    /// <summary>The client in a version; null if npm is missing or fails.</summary>
    public static async Task<NpmClient?> FindAsync(string version, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(OhifPackage.Home, "dicomweb-client-" + version);
        if (Directory.Exists(folder))
            return new(folder);
        if (Real.Npm is null)
            return null;

        Directory.CreateDirectory(OhifPackage.Home);
        // Install beside the target and move the finished folder: an aborted run leaves no incomplete client.
        var part = Directory.CreateDirectory(Path.Combine(OhifPackage.Home, Path.GetRandomFileName())).FullName;
        await using var npm = ChildProcess.Start(
            Real.Npm,
            ["install", "--prefix", part, "--silent", "--no-audit", "--no-fund", $"dicomweb-client@{version}", "xhr2@0.2.1"], part);
        await npm.WaitAsync(cancellationToken);
        if (!Directory.Exists(Path.Combine(part, "node_modules", "dicomweb-client")))
        {
            TestContext.Current.SendDiagnosticMessage($"npm did not install the client. Output:\n{npm.Log}");
            Directory.Delete(part, recursive: true);
            return null;
        }

        Directory.Move(part, folder);
        return new(folder);
    }

    /// <summary>Runs the script for one root.</summary>
    /// <returns>A JSON object with a digest of each answer, without the root.</returns>
    public async Task<string> RunAsync(string root, string task, Instance instance, string last, CancellationToken cancellationToken)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "Clients", Script);
        await using var node = ChildProcess.Start(
            Real.Node!, [script, _folder, root, task, instance.Series.Study.Uid, instance.Series.Uid, instance.Uid, last], _folder);
        await node.WaitAsync(cancellationToken);
        var lines = node.Log.Split('\n').Where(line => line.StartsWith(Answer, StringComparison.Ordinal)).ToArray();
        return lines is [var only] ? only[Answer.Length..] : throw new InvalidOperationException($"{root}: {node.Log}");
    }
}
