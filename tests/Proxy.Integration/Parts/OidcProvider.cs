using Xunit;

namespace Proxy.Integration;

/// <summary>The certified OpenID provider <c>oidc-provider</c> from npm, installed once into the user's cache folder.</summary>
/// <remarks>Any name signs in with any password. The words behind the first one are the roles: <c>olga-operator</c>.</remarks>
public sealed class OidcProvider : IAsyncDisposable
{
    private const string Package = "oidc-provider", Version = "9.13.3";

    private readonly ChildProcess _node;

    private OidcProvider(ChildProcess node, string address) => (_node, Address) = (node, address);

    /// <summary>The issuer.</summary>
    public string Address { get; }

    /// <summary>The folder with the package; null if npm is missing or fails.</summary>
    public static async Task<string?> FindAsync(CancellationToken cancellationToken)
    {
        var folder = Path.Combine(OhifPackage.Home, $"{Package}-{Version}");
        if (Directory.Exists(folder)) return folder;
        if (Real.Npm is null) return null;
        Directory.CreateDirectory(OhifPackage.Home);
        // Install beside the target and move the finished folder: an aborted run leaves no incomplete package.
        var part = Directory.CreateDirectory(Path.Combine(OhifPackage.Home, Path.GetRandomFileName())).FullName;
        await using var npm = ChildProcess.Start(
            Real.Npm, ["install", "--prefix", part, "--silent", "--no-audit", "--no-fund", $"{Package}@{Version}"], part);
        await npm.WaitAsync(cancellationToken);
        if (!Directory.Exists(Path.Combine(part, "node_modules", Package)))
        {
            TestContext.Current.SendDiagnosticMessage($"npm did not install the provider. Output:\n{npm.Log}");
            Directory.Delete(part, recursive: true);
            return null;
        }

        Directory.Move(part, folder);
        return folder;
    }

    /// <summary>Starts it for a proxy.</summary>
    public static async Task<OidcProvider> StartAsync(string proxy, CancellationToken cancellationToken)
    {
        var folder = await FindAsync(cancellationToken);
        var address = $"http://127.0.0.1:{Readiness.FreePort()}";
        var script = Path.Combine(AppContext.BaseDirectory, "Clients", "oidc-provider.cjs");
        var node = ChildProcess.Start(
            Real.Node!, [script, folder!, new Uri(address).Port.ToString(), proxy + "/sign-in/callback"], folder!);
        var provider = new OidcProvider(node, address);
        try
        {
            using var http = new HttpClient(new SocketsHttpHandler());
            await Readiness.AwaitAsync(http, address + "/.well-known/openid-configuration", node, cancellationToken);
            return provider;
        }
        catch
        {
            await provider.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _node.DisposeAsync();
}
