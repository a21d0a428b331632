using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Proxy.Integration;

/// <summary>A real PACS: Orthanc with its DICOMweb plugin, on a loopback port, with a storage that ends with it.</summary>
public sealed class OrthancServer : IAsyncDisposable
{
    private readonly Scratch _scratch;
    private readonly ChildProcess _process;

    private OrthancServer(Scratch scratch, ChildProcess process, int port, NetworkCredential? user)
    {
        (_scratch, _process, Port) = (scratch, process, port);
        Http = new HttpClient(new SocketsHttpHandler()) { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
        if (user is not null)
        {
            var secret = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user.UserName}:{user.Password}"));
            Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", secret);
        }
    }

    public int Port { get; }

    /// <summary>Its DICOMweb root, as a backend's <c>Address</c>.</summary>
    public string Address => $"http://127.0.0.1:{Port}/dicom-web";

    /// <summary>Asks it directly, with the user's name and password when it wants them.</summary>
    public HttpClient Http { get; }

    public static async Task<OrthancServer> StartAsync(string name, NetworkCredential? user, CancellationToken cancellationToken)
    {
        var (scratch, port) = (new Scratch(name), Readiness.FreePort());
        var settings = Path.Combine(scratch.Folder, "orthanc.json");
        await File.WriteAllTextAsync(settings, Settings(name, port, scratch.Folder, user), cancellationToken);
        // Without a UTF-8 locale Orthanc loses every name that is not ASCII.
        var process = ChildProcess.Start(Real.Orthanc!, [settings], scratch.Folder, new Dictionary<string, string> { ["LC_ALL"] = "C.UTF-8" });
        var server = new OrthancServer(scratch, process, port, user);
        try
        {
            await Readiness.AwaitAsync(server.Http, $"http://127.0.0.1:{port}/system", process, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async Task StoreAsync(IEnumerable<Instance> instances, CancellationToken cancellationToken)
    {
        foreach (var instance in instances)
        {
            using var answer = await Http.PostAsync(new Uri("instances", UriKind.Relative), new ByteArrayContent(instance.ToPart10()), cancellationToken);
            if (!answer.IsSuccessStatusCode)
                throw new InvalidOperationException($"Orthanc refused {instance}: {await answer.Content.ReadAsStringAsync(cancellationToken)}");
        }
    }

    /// <summary>Ends it as a PACS ends: whoever connects afterwards is refused.</summary>
    public Task StopAsync() => _process.StopAsync();

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        Http.Dispose();
        _scratch.Dispose();
    }

    private static string Settings(string name, int port, string folder, NetworkCredential? user) => JsonSerializer.Serialize(new Dictionary<string, object?>
    {
        ["Name"] = name,
        ["HttpPort"] = port,
        ["RemoteAccessAllowed"] = false,
        ["DicomServerEnabled"] = false,
        ["StorageDirectory"] = Path.Combine(folder, "storage"),
        ["IndexDirectory"] = Path.Combine(folder, "storage"),
        ["AuthenticationEnabled"] = user is not null,
        ["RegisteredUsers"] = new Dictionary<string, string> { [user?.UserName ?? "nobody"] = user?.Password ?? "nothing" },
        ["DefaultEncoding"] = "Utf8",
        ["KeepAlive"] = true,
        ["TcpNoDelay"] = true,
        ["Plugins"] = new[] { Real.DicomWebPlugin },
        ["DicomWeb"] = new Dictionary<string, object> { ["Enable"] = true, ["Root"] = "/dicom-web/" },
    });
}
