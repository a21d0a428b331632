using Proxy.Admin.Testing;
using Proxy.Operations;

namespace Proxy.Cli;

/// <summary>
/// Tests every backend once, in the background, when the server has started: the log and a table show what works. The state of each
/// backend is known from then on.
/// </summary>
/// <param name="tests">Tests the backends.</param>
/// <param name="options">Whether the test runs.</param>
/// <param name="lifetime">Tells when the server has started.</param>
/// <param name="configuration">Tells the format of the log.</param>
/// <param name="log">The log.</param>
internal sealed class StartTest(
    BackendTests tests, StartupOptions options, IHostApplicationLifetime lifetime, IConfiguration configuration, ILogger<StartTest> log)
    : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.TestBackends) return;
        try
        {
            await WaitForStartAsync(stoppingToken);
            var reports = await tests.RunAllAsync(stoppingToken);
            foreach (var report in reports)
            {
                foreach (var check in report.Checks.Where(check => check.Outcome == Outcome.Failed))
                    log.BackendTestFailed(report.Backend, check.Name, check.Detail, check.Remedy ?? "none");
            }
            // A table between the lines of a structured log would break their format.
            if (configuration["Logging:Console:FormatterName"] is not null and not "simple") return;
            var terminal = Terminal.OfProcess();
            terminal.Output.WriteLine();
            TestTable.Write(terminal, reports);
            terminal.Output.WriteLine();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task WaitForStartAsync(CancellationToken stopping)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = lifetime.ApplicationStarted.Register(started.SetResult);
        await started.Task.WaitAsync(stopping);
    }
}
