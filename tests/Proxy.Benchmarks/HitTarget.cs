using System.Diagnostics;
using System.Globalization;

namespace Proxy.Benchmarks;

/// <summary>A server whose hits are measured: the proxy, nginx or Varnish, in front of the same PACS.</summary>
/// <param name="Name">The name in the table.</param>
/// <param name="Root">The address of its DICOMweb root.</param>
/// <param name="Process">The process; its children belong to it.</param>
internal sealed record HitTarget(string Name, Uri Root, Process Process) : IDisposable
{
    private const double TicksPerSecond = 100;

    /// <summary>The processor time of the server so far, user and system.</summary>
    public TimeSpan ProcessorTime => TimeSpan.FromSeconds(FindTree(Process.Id).Sum(ReadTicks) / TicksPerSecond);

    /// <summary>The resident memory of the server, in bytes.</summary>
    public long Resident => FindTree(Process.Id).Sum(id => ReadStatus(id, "VmRSS:"));

    /// <summary>The maximum of the resident memory of its largest process, in bytes.</summary>
    public long PeakResident => FindTree(Process.Id).Max(id => ReadStatus(id, "VmHWM:"));

    /// <summary>Starts the proxy on the first processor.</summary>
    public static async Task<HitTarget> StartProxyAsync(string name, Uri pacs, params string[] settings)
    {
        var root = Bench.FindFreeRoot();
        var process = Start(
            "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "Proxy.dll"), $"--urls={root}", "--Logging:LogLevel:Default=Warning",
                "--Startup:TestBackends=false", $"--Backends:east:Address={pacs}", .. settings]);
        await Bench.WaitAsync(root);
        return new(name, new Uri(root, "dicomweb/"), process);
    }

    /// <summary>Starts nginx as a cache; null when it is not installed.</summary>
    public static HitTarget? TryStartNginx(Uri pacs, string folder)
    {
        if (!IsInstalled("nginx")) return null;
        var root = Bench.FindFreeRoot();
        var file = Path.Join(folder, "nginx.conf");
        string[] temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        File.WriteAllText(file, $$"""
            {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
            daemon off; pid {{folder}}/nginx.pid; error_log {{folder}}/nginx.err; worker_processes 1;
            events { worker_connections 4096; }
            http {
              sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000; access_log off; open_file_cache max=10000;
              {{string.Concat(temporary.Select(t => $"{t}_temp_path {folder}/tmp; "))}}
              proxy_cache_path {{folder}}/nginx levels=1:2 keys_zone=dw:64m max_size=8g inactive=24h use_temp_path=off;
              gzip_proxied any; gzip_types application/dicom+json;
              server {
                listen {{root.Authority}}; proxy_http_version 1.1; proxy_cache dw; proxy_cache_valid 200 1h; proxy_cache_lock on;
                location ~ /frames/ { proxy_pass http://{{pacs.Authority}}; proxy_set_header Accept-Encoding "";
                  proxy_cache_key "$request_uri|$http_accept"; }
                location / { proxy_pass http://{{pacs.Authority}}; proxy_cache_key "$request_uri|$http_accept|$http_accept_encoding"; }
              }
            }
            """);
        return new("nginx", new Uri(root, "dicom-web/"), Start("nginx", ["-c", file, "-p", folder]));
    }

    /// <summary>Starts Varnish; null when it is not installed.</summary>
    public static HitTarget? TryStartVarnish(Uri pacs, string folder)
    {
        if (!IsInstalled("varnishd")) return null;
        var root = Bench.FindFreeRoot();
        var file = Path.Join(folder, "cache.vcl");
        File.WriteAllText(file, $$"""
            vcl 4.1;
            backend default { .host = "{{pacs.Host}}"; .port = "{{pacs.Port}}"; }
            sub vcl_recv { return (hash); }
            sub vcl_hash { hash_data(req.url); hash_data(req.http.Accept); return (lookup); }
            sub vcl_backend_response { set beresp.ttl = 1h; }
            """);
        return new(
            "varnish", new Uri(root, "dicom-web/"),
            Start(
                "varnishd",
                ["-F", "-j", "none", "-n", Path.Join(folder, "varnish"), "-a", root.Authority, "-T", "none", "-f", file, "-s", "malloc,2g",
                    "-p", "http_resp_hdr_len=32k"]));
    }

    /// <summary>True when a program is on the path.</summary>
    public static bool IsInstalled(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Any(f => File.Exists(Path.Join(f, program)));

    public void Dispose()
    {
        Process.Kill(entireProcessTree: true);
        Process.WaitForExit();
        Process.Dispose();
    }

    private static Process Start(string program, string[] arguments) =>
        Process.Start(new ProcessStartInfo("taskset", ["-c", "0", program, .. arguments])
        {
            WorkingDirectory = AppContext.BaseDirectory,
            RedirectStandardError = program != "dotnet",
        })!;

    private static List<int> FindTree(int id)
    {
        List<int> found = [id];
        for (var i = 0; i < found.Count; i++)
        {
            var children = $"/proc/{found[i]}/task/{found[i]}/children";
            if (!File.Exists(children)) continue;
            found.AddRange(
                File.ReadAllText(children).Split(' ', StringSplitOptions.RemoveEmptyEntries)
                    .Select(child => int.Parse(child, CultureInfo.InvariantCulture)));
        }
        return found;
    }

    private static long ReadTicks(int id)
    {
        var stat = File.ReadAllText($"/proc/{id}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
    }

    private static long ReadStatus(int id, string name)
    {
        var line = File.ReadLines($"/proc/{id}/status").First(l => l.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture) * 1024;
    }
}
