using System.Globalization;

namespace Proxy.Integration;

/// <summary>A PACS that speaks only DIMSE: <c>dcmqrscp</c> of dcmtk.</summary>
public sealed class DcmtkServer : IAsyncDisposable
{
    private readonly Scratch _scratch;
    private readonly ChildProcess _process;

    private DcmtkServer(Scratch scratch, ChildProcess process, int port) => (_scratch, _process, Port) = (scratch, process, port);

    public int Port { get; }

    public static async Task<DcmtkServer> StartAsync(CancellationToken cancellationToken)
    {
        var (scratch, port) = (new Scratch("dcmtk"), Readiness.FreePort());
        var (settings, storage) = (Path.Combine(scratch.Folder, "dcmqrscp.cfg"), Path.Combine(scratch.Folder, "storage"));
        Directory.CreateDirectory(storage);
        await File.WriteAllTextAsync(
            settings,
            string.Create(CultureInfo.InvariantCulture, $"""
                NetworkTCPPort = {port}
                MaxPDUSize = 131072
                MaxAssociations = 16
                HostTable BEGIN
                HostTable END
                VendorTable BEGIN
                VendorTable END
                AETable BEGIN
                DCMTK {storage} RW (200, 1024mb) ANY
                AETable END

                """),
            cancellationToken);
        return new(scratch, ChildProcess.Start(Real.Dcmqrscp!, ["-c", settings], scratch.Folder), port);
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _scratch.Dispose();
    }
}
