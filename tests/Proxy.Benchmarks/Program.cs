using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Proxy.Benchmarks;

if (args is ["merge"])
{
    await MergeRun.RunAsync();
    return;
}
if (args is ["part10", .. var files])
{
    await Part10Run.RunAsync(files);
    return;
}
if (args is ["study", .. var file])
{
    await StudyRun.RunAsync(file);
    return;
}
if (args is ["telemetry"])
{
    await TelemetryRun.RunAsync();
    return;
}
if (args is ["audit"])
{
    await AuditRun.RunAsync();
    return;
}
if (args is ["identity"])
{
    await IdentityRun.RunAsync();
    return;
}
if (args is ["disk"])
{
    await DiskRun.RunAsync();
    return;
}
if (args is ["memory", .. var cases])
{
    await MemoryRun.RunAsync(cases);
    return;
}
if (args is ["hits", .. var only])
{
    await HitsRun.RunAsync(only);
    return;
}
if (args is ["store", .. var part])
{
    await StoreRun.RunAsync(part);
    return;
}

// The proxy, the PACS and the client share this process, so that all allocations of a request are measured.
var config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
BenchmarkSwitcher.FromTypes([
    typeof(ReadBenchmarks), typeof(HitBenchmarks), typeof(MissBenchmarks), typeof(SearchBenchmarks), typeof(FanOutBenchmarks),
    typeof(DeadBackendBenchmarks), typeof(PictureBenchmarks)]).Run(args.Length > 0 ? args : ["--filter", "*"], config);
